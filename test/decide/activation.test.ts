// To zero and back: only what is strictly above its threshold is activity, and silence of a source is neither.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atOnce, failing, load, noon, perInstance, policyOf, Scenario, scenario, total } from './scenario.ts';

const cpu = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
};
const zero = { minReplicas: 0, metrics: [load(100)], behavior: atOnce, activation: { toIdleAfter: '60s' } };

function idle(written: Readonly<Record<string, unknown>> = zero): Scenario {
  const web = scenario(written, 1);
  web.load(1);
  web.load(0, { after: 61 });
  assert.equal(web.n, 0);
  return web;
}

test('idle for long enough, measured from the last active reading, it goes to zero and says so', () => {
  const web = scenario(zero, 3);
  web.load(300);
  const soon = web.load(0, { after: 60 });
  assert.deepEqual([soon.to, soon.limits], [1, ['IdleSoon']]);
  const down = web.load(0, { after: 1 });
  assert.deepEqual([down.to, down.reason], [0, 'ToIdle']);
  assert.equal(web.load(0).reason, 'Idle');
});

test('at zero it wakes only strictly above the threshold', () => {
  const web = idle({ ...zero, activation: { above: 5, toIdleAfter: '60s' }, metrics: [load(100)] });
  assert.equal(web.load(5).to, 0);
  const up = web.load(6);
  assert.deepEqual([up.to, up.reason], [1, 'Woken']);
});

test('waking goes to the least active size, the minimum or the demand, whichever is most', () => {
  assert.equal(idle({ ...zero, activation: { toIdleAfter: '60s', minWhenActive: 3 } }).load(10).to, 3);
  assert.equal(idle().load(650).to, 7);
  assert.equal(idle().load(5000).to, 10);
});

test('in use it never falls below 1, though demand rounds to 0', () => {
  const web = scenario({ ...zero, metrics: [load(100), load(1000, { name: 'other' })] }, 2);
  const decision = web.tick({ readings: { load: total(1), other: total(0) } });
  assert.equal(decision.to, 1);
});

test('a failing source neither wakes nor puts to sleep', () => {
  const web = scenario(zero, 2);
  web.load(200);
  for (let round = 0; round < 20; round += 1) web.tick({ readings: { load: failing } });
  assert.equal(web.n, 2);
  const asleep = idle();
  assert.equal(asleep.tick({ readings: { load: failing } }).to, 0);
  assert.equal(asleep.load(1).to, 1);
});

test('what was read of a part may wake and keep awake, but never puts to sleep', () => {
  const mine = load(100, { source: { type: 'agent', metric: 'x' }, maxAge: '10s' });
  // The other one, which could wake it, is at rest.
  const own = { ...zero, metrics: [mine, load(100, { name: 'other' })] };
  const other = total(0);
  const partial = 'lb2 did not answer';
  const of = (values: readonly number[]) => perInstance(values);
  const old = of([0, 0, 0]);
  assert.ok(old.ok && old.shape === 'perInstance');
  const stale = { ...old, samples: { ...old.samples, i2: { value: 0, ageMs: 11_000, windowMs: 0 } } };
  const cases = [
    [zero, total(0, { partial })],
    [own, of([])],
    [own, of([0, 0])],
    [own, of([Number.NaN, 0, 0])],
    [own, stale],
    [own, { ...old, partial }],
  ] as const;
  for (const [written, reading] of cases) {
    const web = scenario(written, 3);
    web.tick({ readings: { load: written === zero ? total(300) : of([100, 100, 100]), other } });
    const decision = web.tick({ after: 61, readings: { load: reading, other } });
    assert.ok(decision.to > 0, JSON.stringify(reading));
  }
  const web = scenario(own, 3);
  web.tick({ readings: { load: of([100, 100, 100]), other } });
  assert.equal(web.tick({ after: 61, readings: { load: of([0, 0, 0]), other } }).to, 0);
  assert.equal(idle().tick({ readings: { load: total(1, { partial }) } }).to, 1);
});

test('CPU cannot tell activity: it neither wakes nor keeps awake', () => {
  const web = scenario({ ...zero, metrics: [load(100), cpu] }, 1);
  const readings = {
    load: total(0),
    cpu: {
      ok: true,
      shape: 'perInstance',
      samples: { i0: { value: 90, request: 100, ageMs: 0, windowMs: 0 } },
    } as const,
  };
  web.load(1);
  assert.equal(web.tick({ after: 61, readings }).to, 0);
});

test('a schedule that demands instances, and a person, wake it as well', () => {
  const schedules = [{ start: '0 13 * * *', duration: '1h', minReplicas: 2, timeZone: 'UTC' }];
  const web = idle({ ...zero, schedules });
  assert.equal(
    web.load(0, { after: noon + 3_600_000 > web.wallMs ? (noon + 3_600_000 - web.wallMs) / 1000 : 0 }).to,
    2,
  );
  assert.equal(idle().load(0, { controls: { forceActive: true } }).to, 1);
});

test('an idle size other than zero is kept although it is below the minimum', () => {
  const web = scenario(
    {
      minReplicas: 4,
      metrics: [load(100)],
      behavior: atOnce,
      activation: { idleReplicas: 1, toIdleAfter: '60s' },
    },
    5,
  );
  web.load(500);
  assert.equal(web.load(0, { after: 61 }).to, 1);
  assert.deepEqual([web.load(0).to, web.load(0).reason], [1, 'Idle']);
  assert.equal(web.load(50).to, 4);
});

test('the mark survives a restart: the new process wakes what the old one put to sleep', () => {
  const web = idle();
  web.restart(600);
  assert.equal(web.load(10).to, 1);
});

test('pauses hold going to sleep and waking', () => {
  const web = scenario(zero, 1);
  web.load(1);
  const pause = (mode: 'in' | 'out') => ({ controls: { pause: { pause: { mode } } } });
  assert.equal(web.load(0, { after: 100, ...pause('in') }).to, 1);
  assert.equal(web.load(0, { after: 100 }).to, 0);
  assert.equal(web.load(500, pause('out')).to, 0);
});

test("with activation off it is Kubernetes' way: a proposal of 0 goes there, and comes back by proposal", () => {
  const web = new Scenario(policyOf({ ...zero, activation: false }), 2);
  assert.equal(web.load(0).to, 0);
  assert.equal(web.load(150).to, 2);
});

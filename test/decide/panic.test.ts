// Panic: a spike is answered from a short window, held, and handed over without a cliff.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from '../../coordinator/decide/record.ts';
import { recordValue, windowMean } from '../../coordinator/decide/window-average.ts';
import { failing, instances, load, type Scenario, scenario } from './scenario.ts';

const sessions = load(100, { source: { type: 'haproxy', what: 'sessions' } });
const written = {
  maxReplicas: 50,
  metrics: [sessions],
  interval: '1s',
  panic: {},
  behavior: {
    scaleUp: { policies: [] },
    scaleDown: { policies: [], safeAfter: false },
    growthCap: { factor: 100 },
  },
};

function seconds(web: Scenario, count: number, value: number): Decision[] {
  return Array.from({ length: count }, () => web.load(value, { after: 1 }));
}

/** Past the panic with which an instance-rich service starts. */
function calm(n: number, value: number): Scenario {
  const web = scenario(written, n);
  seconds(web, 70, value);
  return web;
}

test('with several instances and no stored state it starts in panic, and takes nothing away', () => {
  const web = scenario(written, 4);
  const [first] = seconds(web, 1, 10);
  assert.equal(first?.record.panic?.state?.highest, 4);
  assert.equal(web.n, 4);
  assert.equal(scenario(written, 1).load(10, { after: 1 }).record.panic?.state, null);
});

test('a spike enters panic, and inside it the size never falls', () => {
  const web = calm(2, 200);
  assert.equal(web.state.panic?.panic, null);
  seconds(web, 6, 1200);
  assert.equal(web.n, 12);
  assert.notEqual(web.state.panic?.panic, null);
  assert.ok(seconds(web, 50, 100).every((decision) => decision.to === 12));
});

test('the clock of panic restarts while the short window stays over the threshold', () => {
  const web = calm(2, 200);
  seconds(web, 3, 900);
  const since = web.state.panic?.panic?.since ?? 0;
  web.load(9000, { after: 1 });
  assert.ok((web.state.panic?.panic?.since ?? 0) > since);
});

test('leaving panic hands its maximum to the down window at its true time: no cliff', () => {
  const web = calm(2, 200);
  const reached = seconds(web, 6, 1200).findIndex((decision) => decision.to === 12);
  const reachedAt = web.state.panic?.panic?.highestAt ?? 0;
  assert.ok(reached >= 0);
  const after = seconds(web, 400, 100);
  const left = after.findIndex((decision) => decision.record.panic?.state === null);
  assert.ok(left > 50 && left < 75, `left after ${left} seconds`);
  const fell = after.findIndex((decision) => decision.to < 12);
  const fellAt = after[fell]?.record.t ?? 0;
  assert.equal(after[fell - 1]?.reason, 'Stabilized');
  assert.equal(Math.round((fellAt - reachedAt) / 1000), 300);
});

test('instances that are starting count as ready for the threshold', () => {
  const web = calm(4, 400);
  const starting = instances(4).map((instance, index) =>
    index < 2 ? instance : { ...instance, phase: 'starting' as const, ready: false, startAgeMs: 1000 },
  );
  // Demand for 6 over 2 ready would be panic; over 4 it is not.
  for (let second = 0; second < 3; second += 1)
    web.load(700, { after: 1, instances: starting, target: { ok: true, wanted: 4 } });
  assert.equal(web.state.panic?.panic, null);
});

test('without data nothing is known: panic neither begins nor ends', () => {
  const web = calm(2, 200);
  seconds(web, 6, 1200);
  for (let second = 0; second < 100; second += 1) web.tick({ after: 1, readings: { load: failing } });
  assert.equal(web.n, 12);
  assert.notEqual(web.state.panic?.panic, null);
});

test('the record keeps what room for a burst is left', () => {
  const web = scenario({ ...written, panic: { burst: { target: 2, capacityPerInstance: 1.5 } } }, 4);
  const decision = web.load(200, { after: 1 });
  assert.equal(decision.record.panic?.spare, 2);
});

test('sums of absurd values stay numbers', () => {
  const rules = { size: 6, mode: 'gauge' } as const;
  const once = recordValue(null, 0, Number.MAX_VALUE, rules);
  const twice = recordValue(once, 0, Number.POSITIVE_INFINITY, rules);
  assert.ok(Number.isFinite(twice.buckets[0]?.sum));
  assert.ok(Number.isFinite(windowMean(twice, 0, rules)));
});

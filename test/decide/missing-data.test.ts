// Unknown is not zero: what fails, is old, partial or absurd may raise the size, and never lowers it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reading } from '../../coordinator/decide/observation.ts';
import { atOnce, failing, instances, load, perInstance, scenario, total } from './scenario.ts';

const two = { metrics: [load(100), load(100, { name: 'other' })], behavior: atOnce };

test('while one source fails the size may rise but not fall', () => {
  const web = scenario(two, 5);
  const down = web.tick({ readings: { load: total(200), other: failing } });
  assert.deepEqual([down.to, down.wanted, down.reason], [5, 2, 'HeldByMissingData']);
  assert.equal(web.tick({ readings: { load: total(800), other: failing } }).to, 8);
  assert.equal(web.tick({ readings: { load: total(200), other: total(100) } }).to, 2);
});

test('while all sources fail the size is held and the decision says so', () => {
  const web = scenario(two, 5);
  const decision = web.tick({ readings: { load: failing, other: failing } });
  assert.deepEqual([decision.to, decision.reason], [5, 'AllSourcesFailed']);
  assert.equal(web.tick({ readings: {} }).reason, 'AllSourcesFailed');
});

test('empty, NaN, infinite and old values are errors, unless the metric says that they mean 0', () => {
  const bad: Reading[] = [
    { ok: false, code: 'empty', message: 'no series' },
    total(Number.NaN),
    total(Number.POSITIVE_INFINITY),
    total(0, { ageMs: 61_000 }),
  ];
  for (const reading of bad)
    assert.equal(scenario({ ...two, metrics: [load(100)] }, 5).tick({ readings: { load: reading } }).to, 5);
  const lenient = { ...two, metrics: [load(100, { whenEmpty: 'zero', onNaN: 'zero' })] };
  for (const reading of bad.slice(0, 3))
    assert.equal(scenario(lenient, 5).tick({ readings: { load: reading } }).to, 1);
});

test('a partial total (one proxy away) may raise, not lower', () => {
  const web = scenario({ ...two, metrics: [load(100)] }, 5);
  const partial = 'lb2 did not answer';
  assert.deepEqual(pick(web.tick({ readings: { load: total(200, { partial }) } })), [5, 'HeldByMissingData']);
  assert.deepEqual(pick(web.tick({ readings: { load: total(700, { partial }) } })), [7, 'MetricsAbove']);
});

test('a sample older than maxAge is missing, and on the way down counts as exactly the target', () => {
  const web = scenario(
    { metrics: [load(100, { source: { type: 'agent', metric: 'x' }, maxAge: '10s' })], behavior: atOnce },
    4,
  );
  const fresh = perInstance([10, 10, 10]);
  assert.ok(fresh.ok && fresh.shape === 'perInstance');
  const samples = { ...fresh.samples, i3: { value: 1, ageMs: 10_001, windowMs: 0 } };
  const decision = web.tick({ readings: { load: { ...fresh, samples } } });
  assert.equal(decision.to, 2);
  const [metric] = decision.record.metrics;
  assert.ok(metric?.proposal.outcome === 'value');
  assert.deepEqual(metric.proposal.measured.missing, ['i3']);
});

test('samples of instances that do not exist, and of those that are leaving, are ignored', () => {
  const web = scenario(
    { metrics: [load(100, { source: { type: 'agent', metric: 'x' } })], behavior: atOnce },
    2,
  );
  const leaving = instances(4).map((instance, index) =>
    index < 2 ? instance : { ...instance, phase: 'draining' as const },
  );
  const reading = perInstance([100, 100, 900, 900, 900, 900]);
  assert.equal(web.tick({ instances: leaving, readings: { load: reading } }).to, 2);
});

test('a percentage of nothing is an error: a container without limit holds the size', () => {
  const cpu = {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
  };
  const web = scenario({ metrics: [cpu], behavior: atOnce }, 3);
  const decision = web.tick({ readings: { cpu: perInstance([10, 10, 10]) } });
  assert.equal(decision.reason, 'AllSourcesFailed');
  const [metric] = decision.record.metrics;
  assert.ok(metric?.proposal.outcome === 'invalid');
  assert.equal(metric.proposal.code, 'missing-request');
});

test('an instance without a sample is taken to have the request of the others', () => {
  const cpu = {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
  };
  const web = scenario({ metrics: [cpu], behavior: atOnce }, 4);
  // Three use 10 of 100; the fourth is taken to use all of its 100: (30 + 100) / 400 = 32 %.
  const decision = web.tick({ readings: { cpu: perInstance([10, 10, 10], { request: 100 }) } });
  assert.equal(decision.to, 3);
});

test('a guard that cannot be read forbids going down; too little traffic to judge by does not', () => {
  const guard = {
    name: 'slow',
    role: 'guard',
    source: { type: 'haproxy', what: 'responseTime' },
    target: { type: 'Threshold', lower: 500, within: 1 },
  };
  const written = { metrics: [load(100), guard], behavior: atOnce };
  const at = (slow: Reading): [number, string] =>
    pick(scenario(written, 5).tick({ readings: { load: total(200), slow } }));
  assert.deepEqual(at(total(100)), [2, 'MetricsBelow']);
  assert.deepEqual(at(total(900)), [5, 'GuardMetric']);
  assert.deepEqual(at(failing), [5, 'HeldByMissingData']);
  assert.deepEqual(at({ ok: false, code: 'too-few-requests', message: '3 of 20' }), [2, 'MetricsBelow']);
});

test('after the fallback is due it takes over, in each of its behaviors, and at 0 too', () => {
  const after = (behavior: string, n: number): number[] => {
    const fallback = { afterFailures: 2, replicas: 6, behavior };
    const web = scenario({ metrics: [load(100)], behavior: atOnce, fallback }, n);
    return [1, 2, 3].map(() => web.tick({ readings: { load: failing } }).to);
  };
  assert.deepEqual(after('static', 3), [3, 3, 6]);
  assert.deepEqual(after('currentReplicas', 3), [3, 3, 3]);
  assert.deepEqual(after('currentReplicasIfHigher', 8), [8, 8, 8]);
  assert.deepEqual(after('currentReplicasIfLower', 8), [8, 8, 6]);

  const idle = scenario(
    { minReplicas: 0, metrics: [load(100)], behavior: atOnce, fallback: { afterSeconds: 60, replicas: 2 } },
    1,
  );
  idle.load(0);
  idle.load(0);
  assert.equal(idle.n, 0);
  const down = [1, 2, 3, 4, 5].map(() => idle.tick({ readings: { load: failing } }).to);
  assert.deepEqual(down, [0, 0, 0, 0, 2]);
});

function pick({ to, reason }: { to: number; reason: string }): [number, string] {
  return [to, reason];
}

// What each kind of metric asks for, beyond what the conformance records cover.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Alert } from '../../coordinator/decide/alerts.ts';
import { learnRate } from '../../coordinator/decide/proposals/drain-time.ts';
import { atOnce, instances, load, perInstance, type Scenario, scenario, total } from './scenario.ts';

const pushed = { type: 'pushed', metric: 'x' };

function withTarget(target: object, extra: object = {}): Readonly<Record<string, unknown>> {
  return { metrics: [{ name: 'load', source: pushed, target, ...extra }], behavior: atOnce };
}

test('queued sessions count as demand: a queue at maxconn still raises the size', () => {
  const sessions = load(100, { source: { type: 'haproxy', what: 'sessions' } });
  assert.equal(scenario({ metrics: [sessions], behavior: atOnce }, 2).load(200 + 350).to, 6);
});

test('a queue is sized to be empty within the horizon, with what arrives meanwhile', () => {
  const web = scenario(withTarget({ type: 'DrainTime', horizon: '60s', ratePerInstance: 10 }), 2);
  // (1200 + 20 x 60) / (10 x 60) = 4
  assert.equal(web.tick({ readings: { load: total(1200, { arrivalsPerSecond: 20 }) } }).to, 4);
});

test('arrivals that are not known for a moment are taken for what they were, for a minute', () => {
  const web = scenario(withTarget({ type: 'DrainTime', horizon: '60s', ratePerInstance: 10 }), 4);
  const tick = (depth: number, after: number, more = {}) =>
    web.tick({ after, readings: { load: total(depth, more) } }).to;
  assert.equal(tick(1200, 0, { arrivalsPerSecond: 20 }), 4);
  assert.equal(tick(1200, 30), 4);
  assert.equal(tick(1200, 30), 4);
  assert.equal(tick(1200, 1), 2);
  assert.equal(tick(1200, 1, { arrivalsPerSecond: 20 }), 4);
});

test('how fast an instance works is learned from acknowledgements while there is work', () => {
  const web = scenario(withTarget({ type: 'DrainTime', horizon: '60s' }), 2);
  assert.equal(web.tick({ readings: { load: total(1200) } }).reason, 'AllSourcesFailed');
  const busy = total(1200, { acknowledgedPerSecond: 20, arrivalsPerSecond: 0 });
  assert.equal(web.tick({ readings: { load: busy } }).to, 2);
  assert.equal(web.tick({ readings: { load: total(3000) } }).to, 5);
  assert.equal(learnRate(10, { depth: 0, acknowledgedPerSecond: 3, ready: 2 }), 10);
  assert.equal(learnRate(10, { depth: 100, acknowledgedPerSecond: 0, ready: 2 }), 10);
  assert.equal(learnRate(10, { depth: 100, acknowledgedPerSecond: 40, ready: 2 }), 12);
});

test('trimmed averages leave out the highest and lowest tenth, from five instances on', () => {
  const at = (average: string, values: number[]) =>
    scenario(
      withTarget(
        { type: 'AverageValue', averageValue: 100, average },
        { source: { type: 'agent', metric: 'x' } },
      ),
      values.length,
    ).tick({ readings: { load: perInstance(values) } }).to;
  const odd = [100, 100, 100, 100, 900];
  assert.deepEqual([at('mean', odd), at('trimmed', odd)], [10, 5]);
  assert.deepEqual([at('mean', odd.slice(1)), at('trimmed', odd.slice(1))], [10, 10]);
});

test('N of the last M samples in the band: then one step, remembered across evaluations', () => {
  const target = { type: 'Threshold', lower: 500, within: 2, samples: 3, addPercent: 50 };
  const web = scenario(withTarget(target), 4);
  assert.deepEqual(
    [900, 100, 100, 900, 900].map((value) => web.load(value).to),
    [4, 4, 4, 4, 6],
  );
});

test('response time may raise, never lower, unless the policy says so', () => {
  const target = { type: 'Threshold', upper: 100, within: 1, addReplicas: -1 };
  const source = { type: 'haproxy', what: 'responseTime' };
  assert.equal(scenario(withTarget(target, { source }), 4).load(50).to, 4);
  assert.equal(scenario(withTarget(target, { source, direction: 'both' }), 4).load(50).to, 3);
});

test('a threshold that may only raise does not keep the others from lowering', () => {
  const slow = {
    name: 'slow',
    source: { type: 'haproxy', what: 'responseTime' },
    target: { type: 'Threshold', lower: 500, within: 1, addReplicas: 1 },
  };
  const web = scenario({ metrics: [load(100), slow], behavior: atOnce }, 5);
  assert.equal(web.tick({ readings: { load: total(300), slow: total(20) } }).to, 3);
  assert.equal(web.tick({ readings: { load: total(300), slow: total(900) } }).to, 4);
});

test('a metric may be limited to a largest step in each direction', () => {
  const web = scenario(withTarget({ type: 'PassThrough' }, { maxScaleUp: 2, maxScaleDown: 1 }), 4);
  assert.deepEqual(
    [9, 9, 1, 1].map((value) => web.load(value).to),
    [6, 8, 7, 6],
  );
});

test('the largest proposal wins; members of a group that need no change leave the word to the others', () => {
  const metrics = (group: string) => [
    load(100, { name: 'a', group }),
    {
      name: 'b',
      group,
      source: pushed,
      target: { type: 'Threshold', lower: 900, within: 1, addReplicas: 1 },
    },
  ];
  const at = (group: string) =>
    scenario({ metrics: metrics(group), behavior: atOnce }, 5).tick({
      readings: { a: total(200), b: total(0) },
    }).to;
  assert.deepEqual([at(''), at('pair')], [5, 2]);
});

test('an expression combines proposals; ?? stands in for one that failed, which still may not lower', () => {
  const metrics = [load(100, { name: 'cpu' }), load(10, { name: 'queue' })];
  const web = scenario(
    { metrics, behavior: atOnce, combine: 'max(cpu, min(queue ?? 3, 4)) + (cpu.value > 500)' },
    2,
  );
  assert.equal(web.tick({ readings: { cpu: total(100), queue: total(900) } }).to, 4);
  assert.equal(web.tick({ readings: { cpu: total(600), queue: total(0) } }).to, 7);
  const failed = web.tick({ readings: { cpu: total(100) } });
  assert.deepEqual([failed.to, failed.wanted, failed.reason], [7, 3, 'HeldByMissingData']);
});

test('an expression metric reads the values of others', () => {
  const metrics = [
    { name: 'queue', source: pushed, role: 'value' },
    { name: 'sum', target: { type: 'Expression', expression: 'queue / 10 + replicas * 0 + ready * 0' } },
  ];
  const web = scenario({ metrics, behavior: atOnce }, 3);
  assert.equal(web.tick({ readings: { queue: total(65) } }).to, 7);
});

test('an expression that divides by nothing is an error, not 0', () => {
  const metrics = [
    {
      name: 'rate',
      source: pushed,
      role: 'value',
    },
    { name: 'sum', target: { type: 'Expression', expression: 'rate / rate' } },
  ];
  const web = scenario({ metrics, behavior: atOnce }, 3);
  const decision = web.tick({ readings: { rate: total(0) } });
  assert.equal(decision.to, 3);
  const proposal = decision.record.metrics[1]?.proposal;
  assert.ok(proposal?.outcome === 'invalid' && proposal.code === 'nan');
});

const alertTarget = { type: 'Alert', byName: { hot: 2, cold: -1 }, bySeverity: { critical: 4 }, ttl: '60s' };

function alarmed(web: Scenario, alerts: Alert[], after = 15): number {
  return web.tick({ alerts, after }).to;
}

test('the same alert a hundred times acts once; the highest step wins; its end ends its wish', () => {
  const metrics = [{ name: 'alerts', target: alertTarget }];
  const web = scenario({ metrics, behavior: atOnce }, 3);
  const hot: Alert = { fingerprint: 'f1', name: 'hot', ageMs: 0 };
  const critical: Alert = { fingerprint: 'f2', name: 'other', severity: 'critical', ageMs: 0 };
  for (let round = 0; round < 100; round += 1) assert.equal(alarmed(web, [hot], 1), 5);
  assert.equal(alarmed(web, [hot, critical]), 9);
  const over = web.tick({ alerts: [] });
  assert.deepEqual([over.to, over.reason], [9, 'NoProposal']);
  assert.equal(alarmed(web, [{ fingerprint: 'f3', name: 'cold', ageMs: 0 }]), 8);
  assert.equal(alarmed(web, [{ fingerprint: 'f4', name: 'hot', ageMs: 60_001 }]), 8);
  assert.equal(alarmed(web, [{ fingerprint: 'f5', name: 'nobody knows', ageMs: 0 }]), 8);
});

test('an alert that stays may step again after a while', () => {
  const web = scenario(
    { metrics: [{ name: 'alerts', target: { ...alertTarget, repeat: '30s' } }], behavior: atOnce },
    1,
  );
  const hot: Alert = { fingerprint: 'f1', name: 'hot', ageMs: 0 };
  assert.deepEqual(
    [1, 15, 15, 15, 15].map((after) => alarmed(web, [hot], after)),
    [3, 3, 5, 5, 7],
  );
});

test('weighted alerts add up until the score leaves the band, and fade when nothing fires', () => {
  const target = {
    type: 'AlertScore',
    weights: { hot: 1 },
    upAbove: 5,
    downBelow: -5,
    decayPerSecond: 0.5,
    step: 2,
  };
  const web = scenario({ metrics: [{ name: 'score', target }], behavior: atOnce }, 3);
  const hot: Alert[] = [{ fingerprint: 'f1', name: 'hot', ageMs: 0 }];
  assert.deepEqual(
    [1, 2, 2, 2].map((after) => alarmed(web, hot, after)),
    [3, 3, 3, 5],
  );
  alarmed(web, hot, 4);
  assert.equal(web.state.metrics['score']?.score?.score, 4);
  alarmed(web, [], 4);
  assert.equal(web.state.metrics['score']?.score?.score, 2);
  alarmed(web, [], 40);
  assert.equal(web.state.metrics['score']?.score?.score, 0);
});

test('an instance that warms up counts as 0 on the way up, and not at all on the way down', () => {
  const cpu = {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
  };
  const young = instances(4).map((instance, index) =>
    index < 2 ? instance : { ...instance, startAgeMs: 10_000, readyChangedAgeMs: 5000 },
  );
  const at = (value: number) =>
    scenario({ metrics: [cpu], behavior: atOnce }, 4).tick({
      instances: young,
      readings: { cpu: perInstance([value, value, 100, 100], { request: 100, windowMs: 15_000 }) },
    }).to;
  // 90 % of two, filled up with two at 0, is 45 %: it would turn around, so nothing happens.
  assert.equal(at(90), 4);
  assert.equal(at(20), 1);
});

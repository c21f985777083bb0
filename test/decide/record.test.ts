// Every decision can be replayed and put into words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replay } from '../../coordinator/decide/decide.ts';
import { explain, headline } from '../../coordinator/decide/explain.ts';
import type { DecisionRecord } from '../../coordinator/decide/record.ts';
import { isRecordDue } from '../../coordinator/decide/record-due.ts';
import { failing, instances, load, perInstance, policyOf, scenario, total } from './scenario.ts';

const cpu = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
};

test('a record that was stored as JSON replays to the same decision and state', () => {
  const web = scenario(
    { metrics: [load(100), cpu], panic: {}, fallback: { replicas: 4 }, interval: '1s' },
    3,
  );
  for (const value of [300, 900, Number.NaN, 100, 100]) {
    const readings = { load: total(value), cpu: perInstance([40, 50], { request: 100 }) };
    const before = web.state;
    const { record, ...outcome } = web.tick({ after: 1, readings });
    const stored: DecisionRecord = JSON.parse(JSON.stringify(record));
    const again = replay(stored);
    assert.deepEqual(stored.inputs.state, before);
    assert.deepEqual(again.state, web.state);
    const { record: _, ...outcomeAgain } = again.decision;
    assert.deepEqual(outcomeAgain, outcome);
    assert.deepEqual(JSON.parse(JSON.stringify(again.decision.record)), stored);
  }
});

test('a record can be replayed with another policy', () => {
  const { record } = scenario({ metrics: [load(100)] }, 2).load(1000);
  assert.equal(record.outcome.to, 6);
  assert.equal(replay(record, policyOf({ metrics: [load(100)], maxReplicas: 3 })).decision.to, 3);
});

test('deciding changes none of its arguments', () => {
  const web = scenario({ metrics: [load(100)], panic: {} }, 3);
  web.load(300);
  const frozen = deepFreeze(structuredClone(web.state));
  web.state = frozen;
  assert.doesNotThrow(() => web.load(900));
});

test('an up is explained by value, formula and limit', () => {
  const web = scenario({ metrics: [load(100), cpu] }, 2);
  const readings = { load: total(1000), cpu: perInstance([60, 62], { request: 100 }) };
  assert.equal(
    explain(web.tick({ readings }).record),
    [
      'web: 2 -> 6, 10 wanted (MetricsAbove, held back by RateLimit)',
      '  load: 1000, target 100 each: 1000 / 100, for 2 now -> 10',
      '  cpu: 61 % of the request, target 70 %: 0.871429 x 2 -> 2',
      '  load asks for the most: 10',
      '  10 -> 6: the rate policies allow 6 now',
    ].join('\n'),
  );
});

test('holds are explained too', () => {
  const web = scenario({ metrics: [load(100), load(100, { name: 'other' })] }, 4);
  assert.equal(
    explain(web.tick({ readings: { load: total(100), other: failing } }).record),
    [
      'web: stays at 4, 1 wanted (HeldByMissingData)',
      '  load: 100, target 100 each: 100 / 100, for 4 now -> 1',
      '  other: no value (timeout: no answer within 1s)',
      '  1 would do, but other could not be read in full: up is allowed, down is not',
    ].join('\n'),
  );
  assert.equal(
    explain(web.tick({ readings: { load: total(400), other: total(100) } }).record),
    [
      'web: stays at 4 (WithinTolerance)',
      '  load: 400, target 100 each: 400 / 100, for 4 now: within the tolerance, keep',
      '  other: 100, target 100 each: 100 / 100, for 4 now -> 1',
      '  load asks for the most: 4',
    ].join('\n'),
  );
  assert.equal(
    explain(web.tick({ gate: { leader: false } }).record),
    'web: stays at 4 (NotLeader): another coordinator holds the lease\n  another coordinator decides',
  );
});

test('what stabilises, cools down or guards is named with its numbers', () => {
  const web = scenario(
    { metrics: [load(100)], behavior: { scaleDown: { cooldown: '90s', safeAfter: false } } },
    4,
  );
  web.load(800);
  assert.match(
    explain(web.load(200).record),
    /recommendations within the stabilisation windows lie between 2 and 8/,
  );
  assert.match(
    explain(
      scenario(
        {
          metrics: [load(100)],
          budget: { minAvailable: 3 },
          behavior: { scaleDown: { stabilizationWindowSeconds: 0, safeAfter: false } },
        },
        4,
      ).load(100).record,
    ),
    /the budget lets no more of the 4 ready instances go/,
  );
});

test('the headline fits a log line', () => {
  const web = scenario({ metrics: [load(100)], dryRun: true }, 2);
  assert.equal(
    headline(web.load(300, { instances: instances(2) }).record),
    'web: stays at 2, would be 3 (DryRun)',
  );
});

test('a row is due when something changed, when the reason is new, and every five minutes', () => {
  const web = scenario({ metrics: [load(100)] }, 4);
  const hold = web.load(400);
  assert.equal(isRecordDue(null, hold, 0), true);
  const last = { reason: hold.reason, to: hold.to, t: 0 };
  assert.equal(isRecordDue(last, web.load(400), 15_000), false);
  assert.equal(isRecordDue(last, web.load(400), 300_000), true);
  assert.equal(isRecordDue(last, web.tick({ readings: { load: failing } }), 30_000), true);
  assert.equal(isRecordDue(last, web.load(900), 30_000), true);
});

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}

// Who goes first when there are too many.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { InstanceObservation } from '../../coordinator/decide/observation.ts';
import { chooseVictims } from '../../coordinator/decide/victims.ts';
import { checked } from './seed.ts';

function instance(id: string, extra: Partial<InstanceObservation> = {}): InstanceObservation {
  return {
    id,
    phase: 'running',
    ready: true,
    startAgeMs: 1000,
    readyChangedAgeMs: 500,
    sessions: 5,
    host: 'a',
    ...extra,
  };
}

test('unhealthy ones first, then those not yet ready, those draining, and the idle one of the rest', () => {
  const all = [
    instance('busy', { sessions: 9 }),
    instance('idle', { sessions: 0 }),
    instance('draining', { phase: 'draining' }),
    instance('starting', { phase: 'starting', ready: null }),
    instance('unhealthy', { ready: false, sessions: 9 }),
  ];
  assert.deepEqual(chooseVictims(all, 5, 'youngest'), ['unhealthy', 'starting', 'draining', 'idle', 'busy']);
});

test('of equals, one on the most crowded host, counted anew after each choice', () => {
  const all = [
    instance('a1'),
    instance('a2'),
    instance('a3'),
    instance('b1', { host: 'b' }),
    instance('b2', { host: 'b' }),
  ];
  assert.deepEqual(chooseVictims(all, 4, 'youngest'), ['a1', 'a2', 'b1', 'a3']);
});

test('then the youngest, or the oldest by choice', () => {
  const all = [
    instance('old', { startAgeMs: 9000 }),
    instance('young', { startAgeMs: 10 }),
    instance('middle', { startAgeMs: 500 }),
  ];
  assert.deepEqual(chooseVictims(all, 2, 'youngest'), ['young', 'middle']);
  assert.deepEqual(chooseVictims(all, 2, 'oldest'), ['old', 'middle']);
});

test('a protected one never goes, and neither does what is gone already', () => {
  const all = [
    instance('leader', { protected: true, sessions: 0 }),
    instance('gone', { phase: 'exited' }),
    instance('other'),
  ];
  assert.deepEqual(chooseVictims(all, 3, 'youngest'), ['other']);
});

test('unknown sessions count as the busiest: unknown is not zero', () => {
  const all = [instance('unknown', { sessions: null }), instance('busy', { sessions: 400 })];
  assert.deepEqual(chooseVictims(all, 1, 'youngest'), ['busy']);
});

test('no more than asked, no one twice, no one protected, and the same whatever the order of the input', () => {
  const some = fc.uniqueArray(
    fc.record({
      id: fc.string({ minLength: 1, maxLength: 4 }),
      phase: fc.constantFrom('running' as const, 'starting' as const, 'draining' as const, 'dead' as const),
      ready: fc.constantFrom(true, false, null),
      startAgeMs: fc.nat({ max: 5 }),
      readyChangedAgeMs: fc.constant(0),
      sessions: fc.option(fc.nat({ max: 3 })),
      host: fc.constantFrom('a', 'b', 'c'),
      protected: fc.boolean(),
    }),
    { selector: ({ id }) => id, maxLength: 12 },
  );
  checked(
    fc.property(some, fc.nat({ max: 12 }), (all, count) => {
      const victims = chooseVictims(all, count, 'youngest');
      assert.ok(victims.length <= count);
      assert.equal(new Set(victims).size, victims.length);
      for (const victim of all.filter(({ id }) => victims.includes(id)))
        assert.equal(victim.protected, false);
      assert.deepEqual(chooseVictims(all.toReversed(), count, 'youngest'), victims);
    }),
    300,
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  initialProbeState,
  nextProbeDelay,
  observeProbe,
  type ProbeRhythm,
  type ProbeState,
} from '../../agent/probe-state.ts';

const readiness: ProbeRhythm = { interval: 5000, failures: 3, successes: 2 };

/** Probes at the rhythm's own pace against an app that answers as `answers(ms)` says, until `endMs`. */
function run(rhythm: ProbeRhythm, answers: (ms: number) => boolean, endMs: number) {
  let state: ProbeState = initialProbeState;
  const changes: { ms: number; verdict: string }[] = [];
  let probes = 0;
  for (let ms = 0; ms <= endMs; ms += Math.max(nextProbeDelay(state, ms, rhythm), 1)) {
    const before = state.verdict;
    state = observeProbe(state, answers(ms), ms, rhythm);
    probes += 1;
    if (state.verdict !== before) changes.push({ ms, verdict: state.verdict });
  }
  return { state, changes, probes };
}

test('an app that is up at once is found at once', () => {
  const { changes } = run(readiness, () => true, 1000);
  assert.deepEqual(changes, [{ ms: 1, verdict: 'ok' }]);
});

test('an app is found within a twentieth of its boot time and 50 ms, with few probes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300_000 }), (boot) => {
      const { changes, probes } = run(readiness, (ms) => ms >= boot, boot + 20_000);
      const found = changes.find(({ verdict }) => verdict === 'ok');
      assert.ok(found !== undefined && found.ms - boot <= boot / 19 + 52, `${boot}: ${found?.ms}`);
      assert.ok(probes < 400, `${probes} probes`);
    }),
  );
});

test('three failures in a row take it out, two successes bring it back', () => {
  const { changes } = run(readiness, (ms) => ms < 7000 || ms > 27_000, 60_000);
  assert.deepEqual(
    changes.map(({ verdict }) => verdict),
    ['ok', 'failed', 'ok'],
  );
  const [, out, back] = changes;
  assert.ok(out !== undefined && out.ms > 17_000 && out.ms <= 22_000);
  assert.ok(back !== undefined && back.ms > 32_000 && back.ms <= 37_000);
});

test('a verdict changes only after as many results in a row as the rhythm asks for', () => {
  const rhythm = fc.record({
    interval: fc.integer({ min: 50, max: 60_000 }),
    failures: fc.integer({ min: 1, max: 10 }),
    successes: fc.integer({ min: 1, max: 10 }),
  });
  fc.assert(
    fc.property(rhythm, fc.array(fc.boolean(), { maxLength: 200 }), (its, results) => {
      let state = initialProbeState;
      results.forEach((ok, index) => {
        const before = state;
        state = observeProbe(state, ok, index * its.interval, its);
        if (state.verdict === before.verdict) return;
        const needed = state.verdict === 'ok' ? its.successes : before.everOk ? its.failures : 1;
        const last = results.slice(Math.max(0, index + 1 - needed), index + 1);
        assert.equal(last.length, needed);
        assert.ok(last.every((each) => each === (state.verdict === 'ok')));
        assert.ok(state.everOk || state.verdict === 'failed');
      });
    }),
  );
});

test('an app that never answers has failed after failures × interval, as at a steady beat', () => {
  const { changes } = run({ interval: 10_000, failures: 30, successes: 1 }, () => false, 400_000);
  assert.equal(changes.length, 1);
  const [{ ms, verdict } = { ms: 0, verdict: '' }] = changes;
  assert.equal(verdict, 'failed');
  assert.ok(ms >= 300_000 && ms <= 310_000, `${ms}`);
});

test('the pause is never longer than the interval', () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.integer({ min: 0, max: 1e7 }),
      fc.integer({ min: 50, max: 60_000 }),
      (ok, ms, interval) => {
        const rhythm = { interval, failures: 3, successes: 2 };
        const state = observeProbe(initialProbeState, ok, ms, rhythm);
        const delay = nextProbeDelay(state, ms, rhythm);
        assert.ok(delay >= 0 && delay <= interval);
      },
    ),
  );
});

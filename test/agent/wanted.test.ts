import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ProbeState } from '../../agent/probe-state.ts';
import { decidePhase, decideWanted, type Situation } from '../../agent/wanted.ts';

const situation = fc.record<Situation>({
  started: fc.boolean(),
  leaving: fc.option(fc.constant('SIGTERM received'), { nil: undefined }),
  told: fc.option(fc.constant('scale-down'), { nil: undefined }),
});
const readiness = fc
  .record({
    verdict: fc.constantFrom('unknown' as const, 'ok' as const, 'failed' as const),
    everOk: fc.boolean(),
  })
  .map(
    ({ verdict, everOk }): ProbeState => ({
      verdict,
      everOk: everOk || verdict === 'ok',
      inRow: 1,
      lastOk: undefined,
    }),
  );

test('traffic is wanted exactly when the app has started, answers, and nobody wants it out', () => {
  fc.assert(
    fc.property(situation, readiness, (its, probe) => {
      const { wanted } = decideWanted(its, probe);
      const free = its.leaving === undefined && its.told === undefined;
      assert.equal(wanted === 'ready', its.started && probe.verdict === 'ok' && free);
    }),
  );
});

test('an instance that leaves never wants a slot, and one that never answered never asks for one', () => {
  fc.assert(
    fc.property(situation, readiness, (its, probe) => {
      const { wanted } = decideWanted(its, probe);
      if (its.leaving !== undefined) assert.equal(wanted, 'drain');
      else if (!its.started || !probe.everOk) assert.equal(wanted, 'out');
    }),
  );
});

test('the phase says the same as what is wanted', () => {
  fc.assert(
    fc.property(situation, readiness, (its, probe) => {
      const { wanted } = decideWanted(its, probe);
      const phase = decidePhase(its, [probe]);
      assert.equal(phase === 'ready', wanted === 'ready');
      assert.equal(phase === 'stopping', its.leaving !== undefined);
    }),
  );
});

test('an instance is ready when one of its HAProxys can reach it', () => {
  const its = { started: true, leaving: undefined, told: undefined };
  const ok: ProbeState = { verdict: 'ok', everOk: true, inRow: 2, lastOk: true };
  const failed: ProbeState = { verdict: 'failed', everOk: true, inRow: 3, lastOk: false };
  assert.equal(decidePhase(its, [failed, ok]), 'ready');
  assert.equal(decidePhase(its, [failed, failed]), 'unready');
  assert.equal(decidePhase(its, []), 'starting');
});

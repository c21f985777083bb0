// What holds for every policy, every reading and every order of events.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decide, replay } from '../../coordinator/decide/decide.ts';
import type { Observations, Reading } from '../../coordinator/decide/observation.ts';
import type { Policy } from '../../coordinator/decide/policy.ts';
import { compactHistory, type Recommendation, stabilize } from '../../coordinator/decide/stabilize.ts';
import { emptyState, type PolicyState } from '../../coordinator/decide/state.ts';
import { addToWindow, largestIn, type Peak } from '../../coordinator/decide/window-max.ts';
import { instances, noon, policyOf } from './scenario.ts';
import { checked } from './seed.ts';

const huge = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 53, 2 ** 63, Number.MAX_VALUE, -1, -(2 ** 63)];
const value = fc.oneof(fc.double({ min: 0, max: 2000, noNaN: true }), fc.constantFrom(...huge));

const source = { type: 'pushed', metric: 'x' };
const target = fc.oneof(
  fc.record({ type: fc.constant('AverageValue'), averageValue: fc.integer({ min: 1, max: 300 }) }),
  fc.record({ type: fc.constant('Value'), value: fc.integer({ min: 1, max: 300 }) }),
  fc.record({
    type: fc.constant('DrainTime'),
    horizon: fc.constant('30s'),
    ratePerInstance: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({
    type: fc.constant('Threshold'),
    lower: fc.integer({ min: 0, max: 500 }),
    within: fc.integer({ min: 1, max: 3 }),
    addReplicas: fc.integer({ min: -3, max: 3 }),
  }),
  fc.record({
    type: fc.constant('Step'),
    above: fc.constant(500),
    below: fc.constant(100),
    step: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ type: fc.constant('PassThrough') }),
);

const rules = fc.record(
  {
    stabilizationWindowSeconds: fc.constantFrom(0, 30, 300),
    selectPolicy: fc.constantFrom('Max', 'Min', 'Disabled'),
    cooldown: fc.constantFrom('0s', '45s'),
    policies: fc.array(
      fc.record({
        type: fc.constantFrom('Pods', 'Percent'),
        value: fc.integer({ min: 1, max: 200 }),
        periodSeconds: fc.constantFrom(15, 60, 1800),
      }),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: [] },
);

const policy = fc
  .record(
    {
      minReplicas: fc.integer({ min: 0, max: 5 }),
      extraReplicas: fc.integer({ min: 1, max: 30 }),
      targets: fc.array(target, { minLength: 1, maxLength: 3 }),
      behavior: fc.record({ scaleUp: rules, scaleDown: rules }, { requiredKeys: [] }),
      panic: fc.constantFrom(undefined, {}),
      fallback: fc.constantFrom(undefined, { replicas: 3, afterFailures: 1 }),
      budget: fc.constantFrom(undefined, { minAvailable: 2 }),
      schedules: fc.constantFrom(undefined, [
        { start: '0 12 * * *', end: '0 13 * * *', minReplicas: 2, ramp: '30m' },
      ]),
    },
    { requiredKeys: ['minReplicas', 'extraReplicas', 'targets'] },
  )
  .map(({ extraReplicas, targets, ...written }) =>
    policyOf({
      ...written,
      timeZone: 'Europe/Berlin',
      maxReplicas: Math.max(3, written.minReplicas + extraReplicas),
      metrics: targets.map((given, index) => ({ name: `m${index}`, source, target: given })),
    }),
  );

const reading = fc.oneof(
  {
    weight: 6,
    arbitrary: value.map((number): Reading => ({ ok: true, shape: 'total', value: number, ageMs: 0 })),
  },
  { weight: 1, arbitrary: fc.constant<Reading>({ ok: false, code: 'timeout', message: 'no answer' }) },
  {
    weight: 1,
    arbitrary: fc.constant<Reading>({
      ok: true,
      shape: 'total',
      value: 300,
      ageMs: 0,
      partial: 'one proxy is away',
    }),
  },
  { weight: 1, arbitrary: fc.constant<Reading>({ ok: true, shape: 'total', value: Number.NaN, ageMs: 0 }) },
);

type Tick = {
  readonly readings: readonly Reading[];
  readonly seconds: number;
  readonly ready: number;
  readonly outOfBand: number | null;
};

const tick: fc.Arbitrary<Tick> = fc.record({
  readings: fc.array(reading, { minLength: 3, maxLength: 3 }),
  seconds: fc.constantFrom(1, 15, 15, 100, 400),
  ready: fc.integer({ min: 0, max: 100 }),
  outOfBand: fc.option(fc.integer({ min: 0, max: 50 }), { freq: 12 }),
});

function observationsOf(n: number, { readings, ready }: Pick<Tick, 'readings' | 'ready'>): Observations {
  const all = instances(n).map((instance, index) =>
    index * 100 < ready * n ? instance : { ...instance, ready: false },
  );
  return {
    target: { ok: true, wanted: n },
    instances: all,
    readings: Object.fromEntries(readings.map((entry, index) => [`m${index}`, entry])),
  };
}

type Step = { n: number; state: PolicyState; tick: Tick; clock: number };

/** Runs a sequence of evaluations, and looks at each. */
function play(
  rulesOf: Policy,
  start: number,
  ticks: readonly Tick[],
  look: (decided: ReturnType<typeof decide>, step: Step) => void,
): void {
  let state = emptyState;
  let n = start;
  let clock = 0;
  for (const given of ticks) {
    clock += given.seconds * 1000;
    n = given.outOfBand ?? n;
    const decided = decide(rulesOf, state, observationsOf(n, given), {
      wallMs: noon + clock,
      monoMs: clock,
      run: 'a',
    });
    look(decided, { n, state, tick: given, clock });
    ({ state } = decided);
    n = decided.decision.to;
  }
}

const sequences = fc.array(tick, { minLength: 1, maxLength: 12 });
const sizes = fc.integer({ min: 0, max: 40 });

test('the size to set is always within [min, max], unless it is left at a zero set by hand, or is idle', () => {
  checked(
    fc.property(policy, sizes, sequences, (given, start, ticks) => {
      play(given, start, ticks, ({ decision }) => {
        const { low, high } = decision.record.bounds;
        assert.ok(Number.isSafeInteger(decision.to));
        if (decision.action === 'none' && (decision.from === 0 || decision.limits.length > 0)) return;
        if (decision.reason === 'ToIdle' || decision.reason === 'Idle') return;
        assert.ok(
          decision.to >= low && decision.to <= high,
          `${decision.to} outside [${low}, ${high}]: ${decision.reason}`,
        );
        assert.ok(low >= given.minReplicas && high <= given.maxReplicas);
      });
    }),
    200,
  );
});

test('while a source is invalid or incomplete, no metric makes the size fall', () => {
  checked(
    fc.property(policy, sizes, sequences, (given, start, ticks) => {
      play(given, start, ticks, ({ decision }) => {
        const { combined, metrics } = decision.record;
        if (combined === null || combined.usedFallback || combined.blind.length === 0) return;
        assert.ok(metrics.length > 0);
        assert.ok(decision.to >= decision.from, `${decision.from} -> ${decision.to} by ${decision.reason}`);
      });
    }),
    200,
  );
});

test('a replay equals the original, also after a round trip through JSON', () => {
  checked(
    fc.property(policy, sizes, sequences, (given, start, ticks) => {
      play(given, start, ticks, ({ decision, state }) => {
        const again = replay(decision.record);
        assert.deepEqual(again, { decision, state });
        const stored = replay(JSON.parse(JSON.stringify(decision.record)));
        assert.deepEqual(JSON.stringify(stored.state), JSON.stringify(state));
        assert.equal(stored.decision.to, decision.to);
      });
    }),
    80,
  );
});

test('a restart at any tick, with its state or without, never lowers the result within the down window', () => {
  checked(
    fc.property(policy, sizes, sequences, fc.boolean(), (given, start, ticks, isLost) => {
      fc.pre(given.fallback === null);
      play(given, start, ticks, ({ decision }, { n, state, tick: seen, clock }) => {
        const restarted = decide(given, isLost ? emptyState : state, observationsOf(n, seen), {
          wallMs: noon + clock,
          monoMs: 0,
          run: 'b',
        });
        const windowMs = given.scaleDown.stabilizationMs;
        if (isLost && windowMs === 0) return;
        if (decision.reason === 'Bounds' || restarted.decision.reason === 'Bounds') return;
        if (decision.reason === 'Woken' || n === 0) return;
        const without = Math.min(decision.to, n);
        assert.ok(
          restarted.decision.to >= without,
          `${n} -> ${restarted.decision.to} instead of ${decision.to}`,
        );
      });
    }),
    200,
  );
});

test('more load never gives a smaller proposal', () => {
  const kinds = fc.constantFrom(
    { type: 'AverageValue', averageValue: 70 },
    { type: 'Value', value: 300 },
    { type: 'DrainTime', horizon: '30s', ratePerInstance: 3 },
    { type: 'PassThrough' },
  );
  checked(
    fc.property(kinds, fc.integer({ min: 1, max: 30 }), value, value, (given, n, a, b) => {
      const rulesOf = policyOf({
        maxReplicas: 2 ** 31 - 1,
        metrics: [{ name: 'm0', source, target: given }],
      });
      const wanted = (number: number) =>
        proposalFor(rulesOf, n, { ok: true, shape: 'total', value: number, ageMs: 0 });
      assert.ok(wanted(Math.max(a, b)) >= wanted(Math.min(a, b)));
    }),
    500,
  );
});

test('more load on one instance never gives a smaller proposal, with instances missing or warming up', () => {
  const classes = fc.array(fc.constantFrom('ready', 'ready', 'missing', 'warming'), {
    minLength: 1,
    maxLength: 12,
  });
  const kinds = fc.constantFrom('utilization', 'average');
  checked(
    fc.property(
      kinds,
      classes,
      fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 12, maxLength: 12 }),
      fc.nat({ max: 11 }),
      fc.integer({ min: 0, max: 300 }),
      (kind, states, loads, place, more) => {
        const rulesOf = perInstancePolicy(kind);
        const n = states.length;
        const all = instances(n).map((instance, index) =>
          states[index] === 'warming'
            ? { ...instance, startAgeMs: 1000, ready: false, readyChangedAgeMs: 900 }
            : instance,
        );
        const at = (extra: number): number => {
          const samples = states.flatMap((state, index) => {
            if (state === 'missing') return [];
            const load = (loads[index] ?? 0) + (index === place % n ? extra : 0);
            return [[`i${index}`, { value: load, request: 100, ageMs: 0, windowMs: 0 }] as const];
          });
          return proposalFor(
            rulesOf,
            n,
            { ok: true, shape: 'perInstance', samples: Object.fromEntries(samples) },
            all,
          );
        };
        assert.ok(at(more) >= at(0));
      },
    ),
    500,
  );
});

function perInstancePolicy(kind: string): Policy {
  const cpu = {
    name: 'm0',
    source: { type: 'docker', what: 'cpu' },
    target: { type: 'Utilization', averageUtilization: 70 },
  };
  const own = {
    name: 'm0',
    source: { type: 'agent', metric: 'x' },
    target: { type: 'AverageValue', averageValue: 70 },
    warmup: true,
  };
  return policyOf({ maxReplicas: 1000, metrics: [kind === 'utilization' ? cpu : own] });
}

/** What the metric asks for, before anything smooths it; the size itself when it keeps or knows nothing. */
function proposalFor(given: Policy, n: number, seen: Reading, all = instances(n)): number {
  const observations: Observations = {
    target: { ok: true, wanted: n },
    instances: all,
    readings: { m0: seen },
  };
  const { decision } = decide(given, emptyState, observations, { wallMs: noon, monoMs: 0, run: 'a' });
  const proposal = decision.record.metrics[0]?.proposal;
  return proposal?.outcome === 'value' ? proposal.count : n;
}

test('nothing throws, and nothing leaves the integers, on saturated counts and absurd values', () => {
  const counts = fc.constantFrom(0, 1, 2 ** 31 - 2, 2 ** 31 - 1);
  checked(
    fc.property(policy, counts, value, (given, n, number) => {
      const seen: Reading = { ok: true, shape: 'total', value: number, ageMs: 0 };
      const wide = { ...given, maxReplicas: 2 ** 31 - 1 };
      const observations: Observations = {
        target: { ok: true, wanted: n },
        instances: instances(3),
        readings: { m0: seen, m1: seen, m2: seen },
      };
      const { decision } = decide(wide, emptyState, observations, { wallMs: noon, monoMs: 0, run: 'a' });
      assert.ok(Number.isSafeInteger(decision.to) && decision.to >= 0 && decision.to <= 2 ** 31 - 1);
    }),
    300,
  );
});

test('the compacted history answers as the whole one, now and later', () => {
  const entries = fc.array(fc.record({ replicas: fc.nat({ max: 20 }), after: fc.nat({ max: 50_000 }) }), {
    maxLength: 40,
  });
  const windows = fc.record({
    upMs: fc.constantFrom(0, 30_000, 120_000),
    downMs: fc.constantFrom(0, 60_000, 300_000),
  });
  checked(
    fc.property(
      entries,
      windows,
      fc.nat({ max: 20 }),
      fc.nat({ max: 20 }),
      fc.nat({ max: 100_000 }),
      (given, both, n, desired, later) => {
        let t = 0;
        const whole: Recommendation[] = [];
        let short: Recommendation[] = [];
        for (const { replicas, after } of given) {
          t += after;
          whole.push({ replicas, at: t });
          short = compactHistory([...short, { replicas, at: t }], both, t);
        }
        const at = t + later;
        const { low, high, count } = stabilize(whole, n, desired, both, at);
        const compacted = stabilize(short, n, desired, both, at);
        assert.deepEqual([compacted.low, compacted.high, compacted.count], [low, high, count]);
        assert.ok(short.length <= 2 * 21);
      },
    ),
    400,
  );
});

test('the sliding maximum is the maximum', () => {
  const values = fc.array(fc.record({ value: fc.nat({ max: 9 }), step: fc.nat({ max: 4 }) }), {
    minLength: 1,
    maxLength: 60,
  });
  checked(
    fc.property(values, fc.integer({ min: 1, max: 9 }), (given, width) => {
      let index = 0;
      let peaks: Peak[] = [];
      const seen: Peak[] = [];
      for (const entry of given) {
        index += entry.step;
        seen.push({ index, value: entry.value });
        peaks = addToWindow(peaks, index, entry.value, width);
        const inside = seen.filter((peak) => index - peak.index < width).map((peak) => peak.value);
        assert.equal(largestIn(peaks), Math.max(...inside));
      }
    }),
    300,
  );
});

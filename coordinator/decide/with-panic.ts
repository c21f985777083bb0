// Panic looks at the largest demand of all metrics, counted in instances, over its two windows.
import type { Combined } from './combine-metrics.ts';
import { spareForBurst, startPanic, stepPanic } from './panic.ts';
import type { PanicRecord } from './record.ts';
import type { Scene } from './scene.ts';
import type { Load } from './smooth.ts';
import type { Recommendation } from './stabilize.ts';
import type { PolicyState } from './state.ts';
import { recordValue, weightedMean, windowMean } from './window-average.ts';

export type Panicked = {
  readonly count: number;
  readonly record: PanicRecord | null;
  readonly state: PolicyState['panic'];
  readonly history: readonly Recommendation[];
};

export function withPanic(scene: Scene, { count }: Combined, loads: readonly Load[]): Panicked {
  const { inputs, t, ready, readySoon, history } = scene;
  const { policy, state } = inputs;
  const { panic: rules } = policy;
  if (rules === null) return { count, record: null, state: null, history };
  const before = state.panic ?? { panic: startPanic(ready, t), demand: null };
  const bucketMs = Math.max(1000, policy.intervalMs);
  const index = Math.floor(t / bucketMs);
  const stableRules = { size: Math.ceil(rules.stableMs / bucketMs), mode: 'gauge' } as const;
  const shortRules = { size: Math.ceil(rules.windowMs / bucketMs), mode: 'gauge' } as const;
  const demand =
    loads.length === 0
      ? before.demand
      : recordValue(before.demand, index, Math.max(...loads.map(({ load }) => load)), stableRules);
  const average = rules.average === 'weighted' ? weightedMean : windowMean;
  const stable = average(demand, index, stableRules);
  const short = average(demand, index, shortRules);
  if (stable === null || short === null) {
    const held = Math.max(count, before.panic?.highest ?? 0);
    return { count: held, record: null, state: { ...before, demand }, history };
  }
  const step = stepPanic(
    {
      stable,
      short,
      targetPerInstance: 1,
      ready: readySoon,
      threshold: rules.threshold,
      stableMs: rules.stableMs,
      maxScaleUpRate: rules.maxScaleUpRate,
      maxScaleDownRate: rules.maxScaleDownRate,
      minWhenActive: policy.activation?.minWhenActive ?? 0,
    },
    before.panic,
    t,
  );
  // What panic held is handed over to the down window, at the time at which it was reached: no cliff.
  const handedOver =
    before.panic !== null && step.state === null
      ? [...history, { replicas: before.panic.highest, at: before.panic.highestAt }]
      : history;
  return {
    count: step.state === null ? count : Math.max(count, step.count),
    record: {
      ...step,
      stable,
      short,
      spare: rules.burst === null ? null : spareForBurst(rules.burst, ready, short),
    },
    state: { panic: step.state, demand },
    history: handedOver,
  };
}

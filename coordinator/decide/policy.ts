// A policy as the deciding half takes it: every default filled in, durations in milliseconds, expressions parsed. Plain JSON.
// What people write, and how it becomes this, is in coordinator/policy/. Each point in which Berth differs from the HPA is a field.
import type { Expression } from './expression-tree.ts';
import type { Schedule } from './schedule.ts';
import type { Tolerance } from './tolerance.ts';

export type RatePolicy = {
  readonly type: 'Count' | 'Percent';
  readonly value: number;
  readonly periodMs: number;
};

export type DirectionRules = {
  readonly stabilizationMs: number;
  readonly select: 'Max' | 'Min' | 'Disabled';
  /** Empty: no rate limit; upwards the growth cap stands in. */
  readonly policies: readonly RatePolicy[];
  readonly cooldownMs: number;
};

/** Without rate policies a step up is capped at max(factor x n, floor). */
export type GrowthCap = { readonly factor: number; readonly floor: number };

export type Pause =
  | { readonly mode: 'none' }
  | { readonly mode: 'in' }
  | { readonly mode: 'out' }
  | { readonly mode: 'both' }
  | { readonly mode: 'at'; readonly replicas: number };

export type CountChange =
  | { readonly by: 'count'; readonly count: number }
  | { readonly by: 'percent'; readonly percent: number }
  | { readonly by: 'value'; readonly value: number };

export type MetricTarget =
  /** Percent of what the instances requested (HPA Resource/Utilization). */
  | { readonly kind: 'utilization'; readonly percent: number }
  /** One total against one target: ratio x ready instances (HPA Object or External/Value). */
  | { readonly kind: 'value'; readonly value: number }
  /** Wanted value per instance: of per-instance samples (HPA Pods), or of one total (HPA External/AverageValue). */
  | { readonly kind: 'averageValue'; readonly value: number; readonly average: 'mean' | 'trimmed' }
  | { readonly kind: 'drainTime'; readonly horizonMs: number; readonly ratePerInstance: number | null }
  /** `within` of the last `samples` samples lie in [lower, upper). Without a change it can only guard. */
  | {
      readonly kind: 'threshold';
      readonly lower: number | null;
      readonly upper: number | null;
      readonly samples: number;
      readonly within: number;
      readonly change: CountChange | null;
    }
  | { readonly kind: 'step'; readonly above: number; readonly below: number; readonly step: number }
  | {
      readonly kind: 'alert';
      readonly byName: Readonly<Record<string, number>>;
      readonly bySeverity: Readonly<Record<string, number>>;
      readonly ttlMs: number;
      /** An alert that stays active steps again after this long; null: once. */
      readonly repeatMs: number | null;
    }
  | {
      readonly kind: 'alertScore';
      readonly weights: Readonly<Record<string, number>>;
      readonly upAbove: number;
      readonly downBelow: number;
      readonly decayPerSecond: number;
      readonly plan:
        | { readonly mode: 'constant'; readonly step: number }
        | { readonly mode: 'linear'; readonly weight: number };
      readonly ttlMs: number;
    }
  | { readonly kind: 'passThrough' }
  | { readonly kind: 'fixed'; readonly value: number }
  | { readonly kind: 'schedule'; readonly schedules: readonly Schedule[] }
  | { readonly kind: 'expression'; readonly expression: Expression; readonly tolerated: boolean };

export type Metric = {
  readonly name: string;
  readonly target: MetricTarget;
  /**
   * A guard proposes nothing; while its threshold holds, or while it cannot be read, it forbids going down. A value is read for
   * expressions only.
   */
  readonly role: 'decide' | 'guard' | 'value';
  /** `up`: may raise only. */
  readonly direction: 'both' | 'up' | 'down';
  /** Members of a group that see no need for change leave the word to the others of the group. Empty: no group. */
  readonly group: string;
  /** Overrides the policy's. */
  readonly tolerance: Tolerance | null;
  readonly maxAgeMs: number | null;
  readonly whenEmpty: 'error' | 'zero';
  readonly onNaN: 'error' | 'zero';
  /** Load that spikes while an instance starts (CPU): instances that warm up do not count. */
  readonly warmup: boolean;
  /** Activity: the total must be strictly above this; null when the metric cannot tell (CPU, memory). */
  readonly activeAbove: number | null;
  /** Largest change that this metric may propose at once. */
  readonly maxScaleUp: number | null;
  readonly maxScaleDown: number | null;
};

export type Activation = {
  /** Idle this long before the size is set to `idleReplicas`; measured from the last active reading. */
  readonly toIdleAfterMs: number;
  /** The same before anything was ever active, measured from when the policy was first seen. */
  readonly initialMs: number;
  /** Least size when active. */
  readonly minWhenActive: number;
  /** Size when idle; null: the policy's minimum, when that is 0. */
  readonly idleReplicas: number | null;
};

export type PanicRules = {
  readonly windowMs: number;
  readonly stableMs: number;
  readonly threshold: number;
  readonly average: 'mean' | 'weighted';
  /** Largest factor up and down within one evaluation of the windows; null: no limit. */
  readonly maxScaleUpRate: number | null;
  readonly maxScaleDownRate: number | null;
  /** A burst that there should be room for, and what one instance can take at most, in units of the target; null: not watched. */
  readonly burst: { readonly target: number; readonly capacityPerInstance: number } | null;
};

export type FallbackBehavior = 'static' | 'current' | 'ifHigher' | 'ifLower';

export type Fallback = {
  /** Due after more than this many failed evaluations in a row; null: the number does not count. */
  readonly afterFailures: number | null;
  /** Due when all have failed for this long; null: the time does not count. */
  readonly afterMs: number | null;
  readonly replicas: number;
  readonly behavior: FallbackBehavior;
};

/** A number of instances, or a share of them (0 to 1). */
export type Amount = { readonly count: number } | { readonly share: number };

export type Policy = {
  readonly name: string;
  readonly service: string;
  readonly enabled: boolean;
  readonly pause: Pause;
  readonly dryRun: boolean;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly intervalMs: number;
  readonly metrics: readonly Metric[];
  /** null: the largest proposal wins. */
  readonly combine: Expression | null;
  readonly tolerance: Tolerance;
  readonly scaleUp: DirectionRules;
  readonly scaleDown: DirectionRules;
  readonly growthCap: GrowthCap;
  /** After a step down, load per instance must stay below this share of what would trigger a step up; null: no such test. */
  readonly safeAfter: number | null;
  readonly activation: Activation | null;
  readonly panic: PanicRules | null;
  readonly fallback: Fallback | null;
  readonly schedules: readonly Schedule[];
  readonly warmupMs: number;
  readonly readinessDelayMs: number;
  readonly budget: { readonly minAvailable: Amount } | { readonly maxUnavailable: Amount } | null;
  readonly victims: 'youngest' | 'oldest';
};

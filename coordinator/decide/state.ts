// What a policy remembers between evaluations: one JSON document, stored in the same transaction as the decision that made it. Times are
// on the policy's own timeline (timeline.ts).
import type { BackOff } from './backoff.ts';
import { type Failures, noFailures } from './fallback.ts';
import type { PanicState } from './panic.ts';
import type { AlertBases } from './proposals/alert.ts';
import type { ScaleEvent } from './scale-events.ts';
import type { Recommendation } from './stabilize.ts';
import type { Timeline } from './timeline.ts';
import type { BucketWindow } from './window-average.ts';

/** What one metric remembers; only the fields that its kind needs. */
export type MetricMemory = {
  /** Threshold: the newest samples, oldest first. */
  readonly samples?: readonly number[];
  /** Drain time: messages per second that one instance acknowledges. */
  readonly ratePerInstance?: number;
  /** Drain time: how many arrived in a second, when that was last known. */
  readonly arrivals?: { readonly perSecond: number; readonly at: number };
  readonly alerts?: AlertBases;
  /** Alert score: the score, when it was computed, and the score and time of the last step. */
  readonly score?: {
    readonly score: number;
    readonly at: number;
    readonly stepScore: number;
    readonly stepAt: number;
  };
};

export type PolicyState = {
  readonly version: 1;
  readonly timeline: Timeline | null;
  /** The size that was last asked for; null: none yet. */
  readonly wanted: number | null;
  /** null: no history, so the size that is found is taken as the first recommendation. */
  readonly recommendations: readonly Recommendation[] | null;
  readonly ups: readonly ScaleEvent[];
  readonly downs: readonly ScaleEvent[];
  readonly lastUpAt: number | null;
  readonly lastDownAt: number | null;
  /** null: never looked, so panic begins with what is ready. */
  readonly panic: { readonly panic: PanicState | null; readonly demand: BucketWindow | null } | null;
  /** True when it was the policy itself that went to the idle size: only then does it come back by itself. */
  readonly idle: boolean;
  readonly firstSeenAt: number | null;
  readonly lastActiveAt: number | null;
  readonly failures: Failures;
  readonly backOff: BackOff | null;
  readonly metrics: Readonly<Record<string, MetricMemory>>;
};

export const emptyState: PolicyState = {
  version: 1,
  timeline: null,
  wanted: null,
  recommendations: null,
  ups: [],
  downs: [],
  lastUpAt: null,
  lastDownAt: null,
  panic: null,
  idle: false,
  firstSeenAt: null,
  lastActiveAt: null,
  failures: noFailures,
  backOff: null,
  metrics: {},
};

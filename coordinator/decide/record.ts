// Everything that one evaluation saw and did: its inputs as they were, every number in between, and the outcome. Plain JSON: what is
// stored is what can be replayed, and replaying it gives the same again.
import type { ActivationStep, Activity } from './activation.ts';
import type { EffectiveBounds } from './bounds.ts';
import type { Combined } from './combine-metrics.ts';
import type { Observations } from './observation.ts';
import type { PanicStep } from './panic.ts';
import type { Policy } from './policy.ts';
import type { MetricRecord } from './read-metrics.ts';
import type { ReasonCode, Turn } from './reasons.ts';
import type { Smoothed } from './smooth.ts';
import type { PolicyState } from './state.ts';
import type { Now } from './timeline.ts';

export type DecisionInputs = {
  readonly policy: Policy;
  readonly state: PolicyState;
  readonly observations: Observations;
  readonly now: Now;
};

/** `spare`: what is left for a burst; null when that is not watched. */
export type PanicRecord = PanicStep & {
  readonly stable: number;
  readonly short: number;
  readonly spare: number | null;
};

export type DecisionRecord = {
  readonly version: 1;
  readonly policy: string;
  readonly service: string;
  readonly inputs: DecisionInputs;
  readonly wallMs: number;
  readonly t: number;
  /** Size that was wanted before. */
  readonly n: number;
  /** Instances that there are, and those that serve. */
  readonly observed: number;
  readonly ready: number;
  /** Somebody else changed the size since the last evaluation. */
  readonly outOfBand: boolean;
  readonly bounds: EffectiveBounds;
  /** Empty when the metrics were not looked at. */
  readonly metrics: readonly MetricRecord[];
  readonly combined: Combined | null;
  readonly panic: PanicRecord | null;
  readonly activation: (ActivationStep & { readonly activity: Activity }) | null;
  readonly smoothed: Omit<Smoothed, 'turns' | 'history'> | null;
  /** Every step that moved the size after the metrics were combined. */
  readonly turns: readonly Turn[];
  readonly outcome: Outcome;
};

export type Outcome = {
  readonly action: 'none' | 'up' | 'down';
  readonly from: number;
  /** The size to set; the same as `from` when nothing is to be done. */
  readonly to: number;
  /** What the metrics (or whatever took their place) asked for. */
  readonly wanted: number;
  readonly reason: ReasonCode;
  /** What held it back, in order. */
  readonly limits: readonly ReasonCode[];
  readonly detail: string | null;
  /** With a dry run: the size that would have been set. */
  readonly wouldBe: number | null;
  /** On the way down, in the order in which they should go. */
  readonly victims: readonly string[];
};

export type Decision = Outcome & { readonly record: DecisionRecord };
export type Decided = { readonly decision: Decision; readonly state: PolicyState };

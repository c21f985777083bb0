// What an evaluation arrived at before the guards: the size, why, and what is to be remembered.
import type { ActivationStep, Activity } from './activation.ts';
import type { Combined } from './combine-metrics.ts';
import type { MetricRecord } from './read-metrics.ts';
import type { ReasonCode, Turn } from './reasons.ts';
import type { PanicRecord } from './record.ts';
import type { Smoothed } from './smooth.ts';
import type { PolicyState } from './state.ts';

export type Plan = {
  /** What was asked for, and what is left of it. */
  readonly wanted: number;
  readonly count: number;
  readonly code: ReasonCode;
  readonly detail: string | null;
  readonly turns: readonly Turn[];
  /** False: nothing may happen now, so there is nothing to guard. */
  readonly guarded: boolean;
  readonly metrics: readonly MetricRecord[];
  readonly combined: Combined | null;
  readonly panic: PanicRecord | null;
  readonly activation: (ActivationStep & { readonly activity: Activity }) | null;
  readonly smoothed: Omit<Smoothed, 'turns' | 'history'> | null;
  readonly remember: Partial<PolicyState>;
};

export function settled(
  count: number,
  code: ReasonCode,
  options: { detail?: string; guarded: boolean },
): Plan {
  return {
    wanted: count,
    count,
    code,
    detail: options.detail ?? null,
    turns: [],
    guarded: options.guarded,
    metrics: [],
    combined: null,
    panic: null,
    activation: null,
    smoothed: null,
    remember: {},
  };
}

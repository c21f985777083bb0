// Two windows over the same samples: a long one for calm times, a short one for spikes.
//
//                ceil(short/target) / ready >= threshold
//      ┌──────┐ ────────────────────────────────────────► ┌───────┐ ──┐ again above: the clock restarts
//      │ calm │                                           │ panic │ ◄─┘
//      └──────┘ ◄──────────────────────────────────────── └───────┘
//                longer than one stable window below
//
// In panic the size is the largest of stable, short and everything since panic began: it never falls. With no state stored and more
// than one instance ready, it begins in panic with that many: nothing is known yet, so nothing is taken away.
import { saturate } from './saturate.ts';

export type PanicState = {
  /** When it was entered or last extended. */
  readonly since: number;
  readonly highest: number;
  /** When `highest` was reached. */
  readonly highestAt: number;
};

export type PanicInput = {
  /** Total load over the two windows. */
  readonly stable: number;
  readonly short: number;
  readonly targetPerInstance: number;
  /** Instances that are ready, and those that are starting. */
  readonly ready: number;
  readonly threshold: number;
  readonly stableMs: number;
  readonly maxScaleUpRate: number | null;
  readonly maxScaleDownRate: number | null;
  /** Least size while there is any load. */
  readonly minWhenActive: number;
};

export type PanicStep = {
  readonly count: number;
  readonly stableCount: number;
  readonly shortCount: number;
  readonly state: PanicState | null;
};

export function startPanic(ready: number, t: number): PanicState | null {
  return ready > 1 ? { since: t, highest: ready, highestAt: t } : null;
}

export function stepPanic(input: PanicInput, state: PanicState | null, t: number): PanicStep {
  const ready = Math.max(1, input.ready);
  const stableWanted = Math.ceil(input.stable / input.targetPerInstance);
  const shortWanted = Math.ceil(input.short / input.targetPerInstance);
  const stableCount = reach(stableWanted, ready, input);
  const shortCount = reach(shortWanted, ready, input);
  const over = shortWanted / ready >= input.threshold;
  const leaves = state !== null && !over && t - state.since > input.stableMs;
  if (leaves || (state === null && !over))
    return { count: stableCount, stableCount, shortCount, state: null };

  const wanted = Math.max(stableCount, shortCount);
  const before = state ?? { since: t, highest: 0, highestAt: t };
  const since = over ? t : before.since;
  const next = wanted > before.highest ? { since, highest: wanted, highestAt: t } : { ...before, since };
  return { count: next.highest, stableCount, shortCount, state: next };
}

/** `wanted` within what one step may reach, and at least what a service under load needs. */
function reach(wanted: number, ready: number, input: PanicInput): number {
  const { maxScaleUpRate, maxScaleDownRate, minWhenActive } = input;
  const low = maxScaleDownRate === null ? 0 : Math.floor(ready / maxScaleDownRate);
  const high = maxScaleUpRate === null ? Number.POSITIVE_INFINITY : Math.ceil(maxScaleUpRate * ready);
  const reached = saturate(Math.min(Math.max(wanted, low), high));
  return wanted > 0 ? Math.max(reached, minWhenActive) : reached;
}

/** What is left for a burst: capacity of the ready ones, minus the load and the burst. null: always buffer; 0: never. */
export function spareForBurst(
  burst: { readonly target: number; readonly capacityPerInstance: number },
  ready: number,
  load: number,
): number | null {
  if (burst.target < 0) return null;
  return burst.target === 0 ? 0 : Math.floor(ready * burst.capacityPerInstance - burst.target - load);
}

// N of the last M samples inside [lower, upper): then one change. The lower bound is inclusive, the upper one exclusive.
import type { CountChange, MetricTarget } from '../policy.ts';
import { largestCount, saturate, saturateUp } from '../saturate.ts';
import { changedTo, measure, type Proposal } from './proposal.ts';

export type Band = { readonly lower: number | null; readonly upper: number | null; readonly within: number };

/** How many samples lie in the band. */
export function countWithin(samples: readonly number[], band: Band): number {
  const lower = band.lower ?? Number.NEGATIVE_INFINITY;
  const upper = band.upper ?? Number.POSITIVE_INFINITY;
  return samples.reduce((count, sample) => (sample >= lower && sample < upper ? count + 1 : count), 0);
}

export function isTriggered(samples: readonly number[], band: Band): boolean {
  return countWithin(samples, band) >= band.within;
}

/** `n` after the change; percentages round up. */
export function changeCount(n: number, change: CountChange): number {
  switch (change.by) {
    case 'count':
      return saturate(Math.min(n + change.count, largestCount));
    case 'percent':
      return saturateUp(n * (1 + change.percent / 100));
    case 'value':
      return saturate(change.value);
  }
}

/** Triggered without a change it can only guard. */
export function proposeByThreshold(
  target: Extract<MetricTarget, { kind: 'threshold' }>,
  samples: readonly number[],
  n: number,
): Proposal {
  const value = samples.at(-1) ?? null;
  if (!isTriggered(samples, target))
    return { outcome: 'keep', cause: 'not-triggered', load: null, measured: measure(value) };
  if (target.change === null)
    return { outcome: 'keep', cause: 'guard', load: null, measured: measure(value) };
  return changedTo(n, changeCount(n, target.change), value);
}

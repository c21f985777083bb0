// What one metric says about the size. `keep`: it is right as it is. `abstain`: this metric has nothing to say now (no alert is
// active). `invalid`: it cannot be known, which may not lower the size.
import type { ReadingErrorCode } from '../observation.ts';
import { saturate } from '../saturate.ts';

export type InvalidCode =
  | ReadingErrorCode
  | 'no-reading'
  | 'wrong-shape'
  | 'no-instances'
  | 'no-samples'
  | 'no-requests'
  | 'no-rate'
  | 'infinite'
  | 'unknown-value';

/** The numbers between reading and proposal, for the record. */
export type Measured = {
  /** Average, total or percentage that was compared. */
  readonly value: number | null;
  /** What each instance uses, in the unit of the reading. */
  readonly average: number | null;
  readonly ratio: number | null;
  /** Instances that the ratio was multiplied by. */
  readonly basis: number | null;
  /** The ratio with missing and unready instances filled in. */
  readonly filledRatio: number | null;
  readonly unready: readonly string[];
  readonly missing: readonly string[];
};

export type KeepCause =
  | 'within-tolerance'
  | 'would-turn-around'
  | 'not-triggered'
  | 'same-size'
  | 'direction'
  | 'guard';

export type Proposal =
  /**
   * `load`: the demand in instances, before rounding; null when there is no such thing. `floor`: others that go down go no
   * lower; by itself it lowers nothing.
   */
  | {
      readonly outcome: 'value';
      readonly count: number;
      readonly floor?: true;
      readonly load: number | null;
      readonly measured: Measured;
    }
  | {
      readonly outcome: 'keep';
      readonly cause: KeepCause;
      readonly load: number | null;
      readonly measured: Measured;
    }
  | { readonly outcome: 'abstain'; readonly measured: Measured | null }
  | { readonly outcome: 'invalid'; readonly code: InvalidCode; readonly message: string };

const none: readonly string[] = [];

export function measure(
  value: number | null,
  ratio: number | null = null,
  basis: number | null = null,
): Measured {
  return { value, average: null, ratio, basis, filledRatio: null, unready: none, missing: none };
}

export function invalid(code: InvalidCode, message: string): Proposal {
  return { outcome: 'invalid', code, message };
}

/** The number itself: no tolerance. */
export function exactly(count: number): Proposal {
  return { outcome: 'value', count: saturate(count), load: null, measured: measure(count) };
}

/** A change that may come to nothing. */
export function changedTo(n: number, count: number, value: number | null): Proposal {
  const measured = measure(value);
  if (count === n) return { outcome: 'keep', cause: 'same-size', load: null, measured };
  return { outcome: 'value', count, load: null, measured };
}

export function wrongShape(wanted: string): Proposal {
  return invalid('wrong-shape', `the source does not give ${wanted}`);
}

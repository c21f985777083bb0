// The HPA's second look. Some instances are missing a sample, or are not ready while the rest asks for more: fill them in with what
// speaks against the change (0 on the way up, their full share on the way down) and look again. If the filled-in ratio is in
// tolerance or points the other way, or the count would move against it, nothing is changed.
import { saturateUp } from '../saturate.ts';
import { isWithinTolerance, type Tolerance } from '../tolerance.ts';
import type { Measured, Proposal } from './proposal.ts';
import type { Tally } from './tally.ts';

export type FirstLook = {
  /** Size now. */
  readonly n: number;
  readonly ratio: number;
  readonly value: number;
  readonly average: number;
  readonly tally: Tally;
  readonly tolerance: Tolerance;
};

/** `refill` gives the ratio with the missing (and, when `withUnready`, the unready) ones filled in. */
export function proposeByRatio(look: FirstLook, refill: (withUnready: boolean) => number): Proposal {
  const { n, ratio, value, average, tally, tolerance } = look;
  const { ready, unready, missing } = tally;
  const withUnready = unready.length > 0 && ratio > 1;
  if (missing.length === 0 && !withUnready) {
    const measured: Measured = { value, average, ratio, basis: ready, filledRatio: null, unready, missing };
    const load = ratio * ready;
    if (isWithinTolerance(ratio, tolerance))
      return { outcome: 'keep', cause: 'within-tolerance', load, measured };
    return { outcome: 'value', count: saturateUp(load), load, measured };
  }

  // At exactly 1 there is no direction to argue against.
  const filledRatio = ratio === 1 ? ratio : refill(withUnready);
  const basis = ready + missing.length + (withUnready ? unready.length : 0);
  const measured: Measured = { value, average, ratio, basis, filledRatio, unready, missing };
  const load = filledRatio * basis;
  if (isWithinTolerance(filledRatio, tolerance))
    return { outcome: 'keep', cause: 'within-tolerance', load, measured };
  const count = saturateUp(load);
  const turnsAround = (ratio < 1 && filledRatio > 1) || (ratio > 1 && filledRatio < 1);
  const movesAgainst = (filledRatio < 1 && count > n) || (filledRatio > 1 && count < n);
  if (turnsAround || movesAgainst) return { outcome: 'keep', cause: 'would-turn-around', load, measured };
  return { outcome: 'value', count, load, measured };
}

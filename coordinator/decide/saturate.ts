// All arithmetic on counts saturates in [0, 2^31-1]: a huge or an infinite demand is the largest count, never an error.

export const largestCount = 2 ** 31 - 1;

/** A whole count in [0, 2^31-1]; fractions are cut off. NaN never gets here: readings and results are checked before. */
export function saturate(count: number): number {
  if (count >= largestCount) return largestCount;
  return count > 0 ? Math.trunc(count) : 0;
}

/** As `saturate`, but fractions are rounded up. */
export function saturateUp(count: number): number {
  return saturate(Math.ceil(count));
}

export type Direction = 'up' | 'none' | 'down';

export function directionOf(from: number, to: number): Direction {
  if (to > from) return 'up';
  return to < from ? 'down' : 'none';
}

/** `count` moved into [low, high]; low wins when they cross. */
export function clamp(count: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, count));
}

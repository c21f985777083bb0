// A ratio of 1 means "exactly enough". Within [1 - down, 1 + up], both ends included, nothing is changed.
import type { Direction } from './saturate.ts';

export type Tolerance = { readonly up: number; readonly down: number };

export function isWithinTolerance(ratio: number, tolerance: Tolerance): boolean {
  return 1 - tolerance.down <= ratio && ratio <= 1 + tolerance.up;
}

/** Where a ratio leans to. From nothing every demand leans up, and there is no tolerance. */
export function leaning(n: number, ratio: number, tolerance: Tolerance): Direction {
  if (n === 0) return ratio > 0 ? 'up' : 'down';
  if (isWithinTolerance(ratio, tolerance)) return 'none';
  return ratio > 1 ? 'up' : 'down';
}

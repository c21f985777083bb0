// A ratio of 1 means "exactly enough". Within [1 - down, 1 + up], both ends included, nothing is changed.

export type Tolerance = { readonly up: number; readonly down: number };

export function isWithinTolerance(ratio: number, tolerance: Tolerance): boolean {
  return 1 - tolerance.down <= ratio && ratio <= 1 + tolerance.up;
}

// Would the rest cope? After a step down, load per remaining instance must stay below a share of what would trigger a step up again;
// otherwise fewer are removed.

/** The smallest size that copes: load / size < safeAfter x (1 + tolerance up), with the load counted in instances. */
export function smallestSafeSize(load: number, safeAfter: number, toleranceUp: number): number {
  if (load <= 0) return 0;
  return Math.floor(load / (safeAfter * (1 + toleranceUp))) + 1;
}

// When every source fails for long enough, a size chosen beforehand takes over. Unlike any other rule this holds at 0 too.
import type { Fallback, FallbackBehavior } from './policy.ts';

export type Failures = { readonly count: number; readonly sinceT: number | null };

export const noFailures: Failures = { count: 0, sinceT: null };

/** Failed evaluations in a row. Without a fallback nobody asks, so nothing is counted or reset. */
export function countFailures(
  before: Failures,
  failed: boolean,
  fallback: Fallback | null,
  t: number,
): Failures {
  if (fallback === null) return before;
  if (!failed) return noFailures;
  return { count: before.count + 1, sinceT: before.sinceT ?? t };
}

/** Due after more failures than allowed, or once they have lasted for the time allowed. */
export function isFallbackDue(
  failures: Failures,
  fallback: Fallback | null,
  t: number,
): fallback is Fallback {
  if (fallback === null || failures.count === 0) return false;
  if (fallback.afterFailures !== null && failures.count > fallback.afterFailures) return true;
  return fallback.afterMs !== null && failures.sinceT !== null && t - failures.sinceT >= fallback.afterMs;
}

export function fallbackSize(replicas: number, behavior: FallbackBehavior, current: number): number {
  switch (behavior) {
    case 'static':
      return replicas;
    case 'current':
      return current;
    case 'ifHigher':
      return Math.max(current, replicas);
    case 'ifLower':
      return Math.min(current, replicas);
  }
}

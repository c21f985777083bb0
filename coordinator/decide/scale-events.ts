// Steps that were taken, for the rate rules. A step counts within a period while it is strictly younger. A new one takes the place of
// one that is older than the longest period, so that the list stays short.
import type { DirectionRules } from './policy.ts';

export type ScaleEvent = { readonly change: number; readonly at: number };

export function changeWithin(events: readonly ScaleEvent[], periodMs: number, t: number): number {
  return events.reduce((sum, event) => (t - event.at < periodMs ? sum + event.change : sum), 0);
}

export function longestPeriod(rules: DirectionRules): number {
  return rules.policies.reduce((longest, policy) => Math.max(longest, policy.periodMs), 0);
}

export function isOutdated(event: ScaleEvent, rules: DirectionRules, t: number): boolean {
  return t - event.at > longestPeriod(rules);
}

/** `events` with `change` in it; without rate policies nothing needs to be remembered. */
export function storeScaleEvent(
  events: readonly ScaleEvent[],
  change: number,
  rules: DirectionRules,
  t: number,
): readonly ScaleEvent[] {
  if (rules.policies.length === 0) return events;
  const stored = { change, at: t };
  const reusable = events.findLastIndex((event) => isOutdated(event, rules, t));
  return reusable === -1 ? [...events, stored] : events.with(reusable, stored);
}

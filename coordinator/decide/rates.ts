// How far one step may go. Every rate policy gives a bound, counted from the size at the start of its period (now, minus the ups and
// plus the downs within it): so and so many instances, or a percentage, rounded up on the way up and cut off on the way down. `Max`
// picks the policy that changes most, `Min` the one that changes least, `Disabled` freezes the direction. A bound never pushes the
// size the wrong way. Without rate policies, a step up is capped at max(factor x n, floor).
import type { DirectionRules, GrowthCap, RatePolicy } from './policy.ts';
import { largestCount, saturate, saturateUp } from './saturate.ts';
import { changeWithin, type ScaleEvent } from './scale-events.ts';

export type Steps = {
  readonly ups: readonly ScaleEvent[];
  readonly downs: readonly ScaleEvent[];
  readonly t: number;
};

export type LimitReason = 'within-range' | 'rate-up' | 'rate-down' | 'growth' | 'maximum' | 'minimum';
export type Limited = { readonly count: number; readonly reason: LimitReason; readonly bound: number | null };

/** The farthest size that the rules of one direction allow; null: no rules. */
export function rateBound(
  direction: 'up' | 'down',
  n: number,
  rules: DirectionRules,
  steps: Steps,
): number | null {
  if (rules.select === 'Disabled') return n;
  if (rules.policies.length === 0) return null;
  const bounds = rules.policies.map((policy) => boundOf(direction, n, policy, steps));
  const wide = rules.select === 'Max';
  return wide === (direction === 'up') ? Math.max(...bounds) : Math.min(...bounds);
}

function boundOf(direction: 'up' | 'down', n: number, policy: RatePolicy, steps: Steps): number {
  const { ups, downs, t } = steps;
  const base = n - changeWithin(ups, policy.periodMs, t) + changeWithin(downs, policy.periodMs, t);
  const { type, value } = policy;
  if (direction === 'up') {
    return type === 'Count' ? Math.min(base + value, largestCount) : saturateUp(base * (1 + value / 100));
  }
  return Math.trunc(type === 'Count' ? base - value : base * (1 - value / 100));
}

export type LimitInput = {
  readonly n: number;
  readonly desired: number;
  readonly min: number;
  readonly max: number;
  readonly up: DirectionRules;
  readonly down: DirectionRules;
  readonly growthCap: GrowthCap;
  readonly steps: Steps;
};

/** `desired` within the rate rules and [min, max], and which of them held it back. */
export function limitStep(input: LimitInput): Limited {
  const { n, desired, min, max, up, down, growthCap, steps } = input;
  if (desired > n) {
    const bound = rateBound('up', n, up, steps);
    if (bound === null) return limitByGrowth(input, growthCap);
    const highest = Math.max(bound, n);
    if (desired <= Math.min(max, highest)) return { count: saturate(desired), reason: 'within-range', bound };
    return max > highest
      ? { count: highest, reason: 'rate-up', bound }
      : { count: max, reason: 'maximum', bound };
  }
  if (desired < n) {
    const bound = rateBound('down', n, down, steps);
    const lowest = bound === null ? 0 : Math.min(bound, n);
    if (desired >= Math.max(min, lowest)) return { count: saturate(desired), reason: 'within-range', bound };
    return min < lowest
      ? { count: saturate(lowest), reason: 'rate-down', bound }
      : { count: min, reason: 'minimum', bound };
  }
  return { count: desired, reason: 'within-range', bound: null };
}

/** Without rate rules: [min, max] and the growth cap. */
export function limitByGrowth(
  input: { n: number; desired: number; min: number; max: number },
  growthCap: GrowthCap,
): Limited {
  const { n, desired, min, max } = input;
  const bound = saturate(Math.max(growthCap.factor * n, growthCap.floor));
  if (desired < min) return { count: min, reason: 'minimum', bound };
  if (desired <= Math.min(max, bound)) return { count: saturate(desired), reason: 'within-range', bound };
  return max > bound ? { count: bound, reason: 'growth', bound } : { count: max, reason: 'maximum', bound };
}

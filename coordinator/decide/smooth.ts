// From the size that is wanted to the size that may be taken now: stabilisation, "would the rest cope?", cooldown, rates and bounds.
import { cooldownFor } from './cooldown.ts';
import type { Policy } from './policy.ts';
import { type Limited, type LimitReason, limitStep } from './rates.ts';
import type { ReasonCode, Turn } from './reasons.ts';
import { smallestSafeSize } from './safe-after.ts';
import { compactHistory, type Recommendation, type Stabilized, stabilize } from './stabilize.ts';
import type { PolicyState } from './state.ts';

/** Demand of one metric in instances, with its tolerance upwards. */
export type Load = { readonly load: number; readonly toleranceUp: number };

export type SmoothInput = {
  readonly policy: Policy;
  readonly state: PolicyState;
  readonly history: readonly Recommendation[];
  readonly n: number;
  readonly desired: number;
  /** What the metrics asked for, without panic: that is what is remembered. */
  readonly recorded: number;
  readonly low: number;
  readonly high: number;
  readonly loads: readonly Load[];
  /** Panic or a critical alert: the cooldown of an up does not count. */
  readonly urgent: boolean;
  readonly t: number;
};

export type Smoothed = {
  readonly count: number;
  readonly turns: readonly Turn[];
  readonly stabilized: Omit<Stabilized, 'history'>;
  readonly safeSize: number | null;
  readonly cooldownMs: number;
  readonly limited: Limited;
  readonly history: readonly Recommendation[];
};

export function smooth(input: SmoothInput): Smoothed {
  const { policy, state, n, desired, low, high, t } = input;
  const { scaleUp, scaleDown } = policy;
  const turns: Turn[] = [];
  const turn = (code: ReasonCode, from: number, to: number): number => {
    if (from !== to) turns.push({ code, from, to });
    return to;
  };

  const windows = { upMs: scaleUp.stabilizationMs, downMs: scaleDown.stabilizationMs };
  const { history, ...stabilized } = stabilize(input.history, n, desired, windows, t, input.recorded);
  let count = turn('Stabilized', desired, stabilized.count);

  const safeSize = safeSizeOf(input, count);
  if (safeSize !== null && count < safeSize) count = turn('WouldNotCope', count, Math.min(n, safeSize));

  const cooldownMs = cooldownOf(input, count);
  if (cooldownMs > 0) count = turn('Cooldown', count, n);

  const { ups, downs } = state;
  const limited = limitStep({
    n,
    desired: count,
    min: low,
    max: high,
    up: scaleUp,
    down: scaleDown,
    growthCap: policy.growthCap,
    steps: { ups, downs, t },
  });
  count = turn(limitCodes[limited.reason], count, limited.count);
  return {
    count,
    turns,
    stabilized,
    safeSize,
    cooldownMs,
    limited,
    history: compactHistory(history, windows, t),
  };
}

const limitCodes: Readonly<Record<LimitReason, ReasonCode>> = {
  'within-range': 'RateLimit',
  'rate-up': 'RateLimit',
  'rate-down': 'RateLimit',
  growth: 'GrowthCap',
  maximum: 'AtMaximum',
  minimum: 'AtMinimum',
};

/** Only for a step down. */
function safeSizeOf({ policy, loads, n }: SmoothInput, count: number): number | null {
  const { safeAfter } = policy;
  if (safeAfter === null || count >= n) return null;
  return loads.reduce(
    (size, { load, toleranceUp }) => Math.max(size, smallestSafeSize(load, safeAfter, toleranceUp)),
    0,
  );
}

function cooldownOf({ policy, state, n, urgent, t }: SmoothInput, count: number): number {
  if (count === n || (count > n && urgent)) return 0;
  const { lastUpAt, lastDownAt } = state;
  return cooldownFor(
    count > n ? 'up' : 'down',
    { upMs: policy.scaleUp.cooldownMs, downMs: policy.scaleDown.cooldownMs },
    {
      upAgeMs: lastUpAt === null ? null : t - lastUpAt,
      downAgeMs: lastDownAt === null ? null : t - lastDownAt,
    },
  );
}

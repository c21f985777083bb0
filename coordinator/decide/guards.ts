// The last word belongs to what happens around the policy: a rolling update, a pause, creation that fails, the cap over all services,
// room on the hosts, and how many ready instances may be taken away at once.
import type { BackOff } from './backoff.ts';
import type { Observations } from './observation.ts';
import type { Amount, Pause, Policy } from './policy.ts';
import type { ReasonCode, Turn } from './reasons.ts';

export type GuardInput = {
  readonly policy: Policy;
  readonly observations: Observations;
  readonly n: number;
  readonly count: number;
  /** Instances that there are, and those that serve. */
  readonly observed: number;
  readonly ready: number;
  readonly backOff: BackOff | null;
  readonly pause: Pause;
  readonly t: number;
};

type Guard = { readonly code: ReasonCode; readonly apply: (count: number, input: GuardInput) => number };

const guards: readonly Guard[] = [
  { code: 'Rollout', apply: duringRollout },
  { code: 'Paused', apply: whilePaused },
  { code: 'BackOff', apply: whileBackingOff },
  {
    code: 'Quota',
    apply: (count, { n, observations }) => Math.min(count, Math.max(n, observations.quota ?? count)),
  },
  { code: 'NoCapacity', apply: withinCapacity },
  { code: 'Budget', apply: withinBudget },
];

export function applyGuards(input: GuardInput): { count: number; turns: Turn[] } {
  const turns: Turn[] = [];
  let { count } = input;
  for (const { code, apply } of guards) {
    const next = apply(count, input);
    if (next !== count) turns.push({ code, from: count, to: next });
    count = next;
  }
  return { count, turns };
}

/** No down; up only above the wanted size without the surge. */
function duringRollout(count: number, { n, observations }: GuardInput): number {
  const { rollout } = observations;
  if (rollout === undefined || count === n) return count;
  return count < n || count <= rollout.sizeWithoutSurge ? n : count;
}

function whilePaused(count: number, { n, pause }: GuardInput): number {
  if (pause.mode === 'both') return n;
  if (pause.mode === 'in') return Math.max(count, n);
  return pause.mode === 'out' ? Math.min(count, n) : count;
}

function whileBackingOff(count: number, { n, backOff, t }: GuardInput): number {
  return backOff !== null && t < backOff.untilT ? Math.min(count, n) : count;
}

/** Not enough room: what fits is created. */
function withinCapacity(count: number, { n, observed, observations }: GuardInput): number {
  const { capacity } = observations;
  if (capacity === undefined || count <= n) return count;
  return Math.min(count, Math.max(n, observed + capacity.fits));
}

/**
 * Ready instances that remain must not be fewer than the budget wants, with those promised to rollouts and restarts taken off. While
 * instances of an earlier step down are still there, they are part of the size: it is not lowered twice on their account.
 */
function withinBudget(count: number, { policy, n, observed, ready, observations }: GuardInput): number {
  if (policy.budget === null || count >= n) return count;
  const size = Math.max(n, observed);
  const readyToSpare = ready - (observations.reservedDisruptions ?? 0) - leastAvailable(policy.budget, size);
  const removable = Math.max(0, observed - ready) + Math.max(0, readyToSpare);
  return Math.min(n, Math.max(count, size - removable));
}

export function leastAvailable(budget: NonNullable<Policy['budget']>, n: number): number {
  return 'minAvailable' in budget ? amountOf(budget.minAvailable, n) : n - amountOf(budget.maxUnavailable, n);
}

function amountOf(amount: Amount, n: number): number {
  return 'count' in amount ? amount.count : Math.ceil(amount.share * n);
}

// Leaving and entering the idle size (zero, unless another one is set).
//
//   active or forced   at 0, or at the idle size below the minimum: up, to at least the minimum, the least active size, 1
//                      otherwise the proposal stands, but not below 1
//   unknown            a source fails and nothing is active: neither leaves nor enters the idle size
//   inactive           idle for long enough: the idle size; until then the proposal, but not below 1
//
// CPU and memory cannot tell activity: without instances there are none to look at.

export type Activity = 'active' | 'inactive' | 'unknown';

export type ActivationInput = {
  readonly n: number;
  readonly proposal: number;
  readonly low: number;
  readonly activity: Activity;
  readonly forced: boolean;
  readonly idleReplicas: number | null;
  readonly minWhenActive: number;
  /** Since the last active reading; null: never active. */
  readonly lastActiveAgeMs: number | null;
  readonly toIdleAfterMs: number;
  /** For a service that never was active: since it was first seen, and how long that must be. */
  readonly firstSeenAgeMs: number | null;
  readonly initialMs: number;
  readonly pausedIn: boolean;
  readonly pausedOut: boolean;
};

export type ActivationCause =
  | 'woken'
  | 'active'
  | 'held-unknown'
  | 'to-idle'
  | 'idle-soon'
  | 'idle'
  | 'not-idling'
  | 'to-minimum'
  | 'paused';

export type ActivationStep = {
  readonly count: number;
  readonly cause: ActivationCause;
  readonly active: boolean;
};

export function stepActivation(input: ActivationInput): ActivationStep {
  const { n, proposal, low, idleReplicas, pausedOut } = input;
  if (input.activity === 'active' || input.forced) {
    const least = Math.max(low, input.minWhenActive, 1);
    if (n > 0 && (idleReplicas === null || n >= low))
      return { count: Math.max(proposal, 1), cause: 'active', active: true };
    if (pausedOut) return { count: n, cause: 'paused', active: true };
    return { count: Math.max(least, proposal), cause: 'woken', active: true };
  }
  if (input.activity === 'unknown') {
    const isIdle = n <= (idleReplicas ?? 0);
    return { count: isIdle ? n : Math.max(proposal, 1), cause: 'held-unknown', active: false };
  }
  return { ...whenInactive(input), active: false };
}

function whenInactive(input: ActivationInput): Omit<ActivationStep, 'active'> {
  const { n, proposal, low, idleReplicas } = input;
  const idle = idleReplicas ?? (low === 0 ? 0 : null);
  if (idle === null)
    return n < low ? { count: low, cause: 'to-minimum' } : { count: proposal, cause: 'not-idling' };
  if (n <= idle) return { count: n, cause: 'idle' };
  if (input.pausedIn) return { count: n, cause: 'paused' };
  if (isIdleLongEnough(input)) return { count: idle, cause: 'to-idle' };
  return { count: Math.max(proposal, 1), cause: 'idle-soon' };
}

function isIdleLongEnough(input: ActivationInput): boolean {
  if (input.lastActiveAgeMs !== null) return input.lastActiveAgeMs > input.toIdleAfterMs;
  return input.firstSeenAgeMs === null || input.firstSeenAgeMs >= input.initialMs;
}

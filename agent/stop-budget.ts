// Who may take how long when the app is stopped. Pure. One total, which the container's own stop timeout must exceed:
//
//   |── drain ≤ drainTimeout ──|── hook ──|── signal, grace ≤ stopTimeout ──| SIGKILL
//   0                                     total - stopTimeout / 2           total = drainTimeout + stopTimeout
//
// What a phase does not use is left to the next ones. The hook leaves the app at least half of its grace.

/** Monotonic milliseconds. */
export interface LeaveTimes {
  drainUntil: number;
  hookUntil: number;
}

export interface StopBudget extends LeaveTimes {
  /** When the app is killed, if its signal is sent at `now`. */
  killAt(now: number): number;
}

export function planStop(now: number, settings: { drainTimeout: number; stopTimeout: number }): StopBudget {
  const total = now + settings.drainTimeout + settings.stopTimeout;
  return {
    drainUntil: now + settings.drainTimeout,
    hookUntil: total - settings.stopTimeout / 2,
    killAt: (signalledAt) => Math.min(signalledAt + settings.stopTimeout, total),
  };
}

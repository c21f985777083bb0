// Alerts live in a pool from their first "firing" until they are resolved, or until nobody repeated them for a time to live (a
// resolve that got lost). Keyed by fingerprint: the same alert a hundred times is one alert. A resolve leaves a mark behind, so that
// an older "firing" which arrives late does not bring the alert back.

/** An active alert, as one evaluation sees it. */
export type Alert = {
  readonly fingerprint: string;
  readonly name: string;
  /** Which firing of it: the same alert may end and fire again. */
  readonly firing?: string;
  readonly severity?: string;
  /** Size of the step that the alert itself asks for. */
  readonly step?: number;
  /** Since it was last heard of. */
  readonly ageMs: number;
};

export type AlertEvent = {
  readonly fingerprint: string;
  readonly name: string;
  readonly firing: boolean;
  /** When it was sent, on the same clock as the pool. */
  readonly at: number;
  readonly severity?: string;
  readonly step?: number;
};

export type PooledAlert = AlertEvent;
export type AlertPool = Readonly<Record<string, PooledAlert>>;

/** The pool with `event` in it. Nameless alerts and events older than what is known are ignored. */
export function updateAlertPool(pool: AlertPool, event: AlertEvent): AlertPool {
  if (event.name === '') return pool;
  const known = pool[event.fingerprint];
  if (known !== undefined && known.at > event.at) return pool;
  return { ...pool, [event.fingerprint]: event };
}

/** The pool without what nobody repeated for `ttlMs`. */
export function expireAlerts(pool: AlertPool, now: number, ttlMs: number): AlertPool {
  return Object.fromEntries(Object.entries(pool).filter(([, alert]) => now - alert.at <= ttlMs));
}

export function activeAlerts(pool: AlertPool, now: number, ttlMs: number): Alert[] {
  return Object.values(pool)
    .filter((alert) => alert.firing && now - alert.at <= ttlMs)
    .map(({ fingerprint, name, severity, step, at }) => ({
      fingerprint,
      name,
      ...(severity === undefined ? {} : { severity }),
      ...(step === undefined ? {} : { step }),
      ageMs: now - at,
    }));
}

/** The weight or step given to a name; 0 for names that nobody configured. */
export function weightOf(name: string, weights: Readonly<Record<string, number>>): number {
  return Object.hasOwn(weights, name) ? (weights[name] ?? 0) : 0;
}

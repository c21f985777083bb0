// The alerts that are known, by fingerprint, and by service for the deciding loop, which asks every second. Ended ones
// stay as marks for a while (judge-alert.ts). Bounded: when it is full of live alerts a further one is refused.
import type { InboxRow } from './inbox-row.ts';
import { isLive, type Now, type PoolEntry, replayWindowMs } from './judge-alert.ts';

/** An alert as it stands, and its row in the inbox. */
export interface KnownAlert {
  readonly entry: PoolEntry;
  readonly row: InboxRow;
}

/** How long an ended alert is remembered. */
export const rememberMs = 24 * 3_600_000;

export class AlertPool {
  readonly #limit: number;
  readonly #alerts = new Map<string, KnownAlert>();
  readonly #live = new Set<string>();
  readonly #byService = new Map<string, Set<string>>();
  /** Live ones that name no service themselves. */
  readonly #unaddressed = new Set<string>();

  constructor(limit = 50_000) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#alerts.size;
  }

  get liveCount(): number {
    return this.#live.size;
  }

  get(fingerprint: string): KnownAlert | undefined {
    return this.#alerts.get(fingerprint);
  }

  /** False when there is no room for a new one. */
  set(alert: KnownAlert, now: Now): boolean {
    const { fingerprint } = alert.entry.signal;
    if (!this.#alerts.has(fingerprint) && this.#alerts.size >= this.#limit) {
      this.forget(now, replayWindowMs);
      if (this.#alerts.size >= this.#limit) return false;
    }
    this.#delete(fingerprint);
    this.#alerts.set(fingerprint, alert);
    if (alert.entry.end === undefined) this.#index(alert.entry);
    return true;
  }

  /** All live ones, oldest first. */
  live(now: Now): KnownAlert[] {
    return this.#pick(this.#live, now);
  }

  /** Live ones that name this service. */
  ofService(service: string, now: Now): KnownAlert[] {
    return this.#pick(this.#byService.get(service) ?? [], now);
  }

  /** Live ones that name no service: about a container, or by name only. */
  unaddressed(now: Now): KnownAlert[] {
    return this.#pick(this.#unaddressed, now);
  }

  /** Those whose time to live is over, and that nobody has ended yet. */
  overdue(now: Now): KnownAlert[] {
    const over: KnownAlert[] = [];
    for (const fingerprint of this.#live) {
      const alert = this.#alerts.get(fingerprint);
      if (alert !== undefined && !isLive(alert.entry, now)) over.push(alert);
    }
    return over;
  }

  /** Drops what ended longer than `ageMs` ago. */
  forget(now: Now, ageMs = rememberMs): void {
    for (const [fingerprint, { entry }] of this.#alerts) {
      const { end } = entry;
      if (end !== undefined && now.monotonic - end.at > ageMs) this.#delete(fingerprint);
    }
  }

  #pick(fingerprints: Iterable<string>, now: Now): KnownAlert[] {
    const found: KnownAlert[] = [];
    for (const fingerprint of fingerprints) {
      const alert = this.#alerts.get(fingerprint);
      if (alert !== undefined && isLive(alert.entry, now)) found.push(alert);
    }
    return found;
  }

  #index(entry: PoolEntry): void {
    const { fingerprint } = entry.signal;
    this.#live.add(fingerprint);
    const service = namedService(entry);
    if (service === undefined) {
      this.#unaddressed.add(fingerprint);
      return;
    }
    const of = this.#byService.get(service) ?? new Set();
    this.#byService.set(service, of.add(fingerprint));
  }

  #delete(fingerprint: string): void {
    const alert = this.#alerts.get(fingerprint);
    if (alert === undefined) return;
    this.#alerts.delete(fingerprint);
    this.#live.delete(fingerprint);
    this.#unaddressed.delete(fingerprint);
    const service = namedService(alert.entry);
    if (service === undefined) return;
    const of = this.#byService.get(service);
    of?.delete(fingerprint);
    if (of?.size === 0) this.#byService.delete(service);
  }
}

/** The service that an alert names itself; one that names a container is looked up there first. */
function namedService({ signal }: PoolEntry): string | undefined {
  return signal.service ?? (signal.container === undefined ? signal.haproxy?.backend : undefined);
}

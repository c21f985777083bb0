// When something that failed may be tried again: 1, 2, 4 … 300 s, reset by success (AUTOSCALING.md, 9). One book for the
// creations of each service on each host, one for the starts of each container, one for each other kind of step on each
// container, so that neither a missing image nor a crash loop nor an engine that refuses becomes a hot loop.
//
// Several tries that are under way at once and fail are one failure: ten instances that are wanted at once and find no
// image tell no more than one does, and would otherwise make the second try wait for minutes.
const firstMs = 1000;
const mostMs = 300_000;

interface Entry {
  failures: number;
  /** When the last one that counted failed. */
  at: number;
  until: number;
  reason: string;
}

export class RetryBook {
  readonly #entries = new Map<string, Entry>();

  /** `begunAt`: when the try that failed was begun. */
  failed(key: string, reason: string, now: number, begunAt = now): void {
    const before = this.#entries.get(key);
    if (before !== undefined && begunAt < before.at) return;
    const failures = (before?.failures ?? 0) + 1;
    const until = now + Math.min(mostMs, firstMs * 2 ** (failures - 1));
    this.#entries.set(key, { failures, at: now, until, reason });
  }

  succeeded(key: string): void {
    this.#entries.delete(key);
  }

  /** Why not yet; undefined when it may be tried. */
  waits(key: string, now: number): { reason: string; forMs: number } | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.until <= now) return undefined;
    return { reason: entry.reason, forMs: entry.until - now };
  }

  /** Forgets keys that are not to be kept. */
  keep(isKept: (key: string) => boolean): void {
    for (const key of this.#entries.keys()) if (!isKept(key)) this.#entries.delete(key);
  }
}

// Values that others post, kept in memory with their age until they are asked for. A series is a name with its labels; a
// newer value replaces the older one, and an older one that comes late is left out. When a new series would be one too
// many, the one that was not written for longest goes.
import type { Clock } from '../../shared/clock.ts';

export type Labels = Readonly<Record<string, string>>;

export interface PushedMetric {
  readonly name: string;
  readonly labels: Labels;
  /** May be NaN, which some formats carry. */
  readonly value: number;
  /** When the sender took it, in milliseconds since the epoch; absent: now. */
  readonly at?: number;
}

export interface StoredMetric {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
  /** Monotonic. */
  readonly at: number;
}

export class PushedMetrics {
  readonly #clock: Clock;
  readonly #maxSeries: number;
  /** Oldest write first. */
  readonly #series = new Map<string, StoredMetric>();
  readonly #byName = new Map<string, Set<string>>();

  constructor(clock: Clock, maxSeries = 10_000) {
    this.#clock = clock;
    this.#maxSeries = maxSeries;
  }

  get size(): number {
    return this.#series.size;
  }

  put(metrics: readonly PushedMetric[]): void {
    const monotonic = this.#clock.monotonic();
    const wall = this.#clock.wall();
    for (const { name, labels, value, at: takenAt = wall } of metrics) {
      // A sender whose clock is ahead sends values of now, not of the future.
      const at = monotonic - Math.max(0, wall - takenAt);
      const key = keyOf(name, labels);
      const known = this.#series.get(key);
      if (known !== undefined && known.at > at) continue;
      this.#remove(key);
      if (this.#series.size >= this.#maxSeries) this.#removeOldest();
      this.#series.set(key, { name, labels, value, at });
      this.#byName.set(name, (this.#byName.get(name) ?? new Set()).add(key));
    }
  }

  /** The series of this name that carry at least these labels. */
  find(name: string, labels: Labels = {}): readonly StoredMetric[] {
    const wanted = Object.entries(labels);
    return [...(this.#byName.get(name) ?? [])].flatMap((key) => {
      const series = this.#series.get(key);
      return series !== undefined && wanted.every(([label, value]) => series.labels[label] === value)
        ? [series]
        : [];
    });
  }

  #removeOldest(): void {
    const [oldest] = this.#series.keys();
    if (oldest !== undefined) this.#remove(oldest);
  }

  #remove(key: string): void {
    const series = this.#series.get(key);
    if (series === undefined) return;
    this.#series.delete(key);
    const keys = this.#byName.get(series.name);
    keys?.delete(key);
    if (keys?.size === 0) this.#byName.delete(series.name);
  }
}

function keyOf(name: string, labels: Labels): string {
  return JSON.stringify([name, ...Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

import type { Clock } from '../../shared/clock.ts';

/** A clock that a test moves by hand: monotonic and wall time together, or wall time alone. */
export class HandClock implements Clock {
  #monotonic = 1_000_000;
  #wall: number;
  readonly #sleepers = new Set<{ until: number; wake: () => void }>();

  constructor(wall: string) {
    this.#wall = Date.parse(wall);
  }

  monotonic(): number {
    return this.#monotonic;
  }

  wall(): number {
    return this.#wall;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const sleeper = { until: this.#monotonic + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers.delete(sleeper);
        resolve();
      });
    });
  }

  get sleeping(): number {
    return this.#sleepers.size;
  }

  advance(ms: number): void {
    this.#monotonic += ms;
    this.#wall += ms;
    for (const sleeper of this.#sleepers) {
      if (sleeper.until > this.#monotonic) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }

  /** Somebody sets the machine's clock. */
  setWall(wall: number): void {
    this.#wall = wall;
  }
}

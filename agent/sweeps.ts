// When an instance clears away what others left behind in HAProxy: now and then, and never while something else is wanted.
import type { Clock } from '../shared/clock.ts';

/** A coordinator does it all the time. */
const everyMs = 20_000;
const againMs = 5000;

export class Sweeps {
  readonly #clock: Clock;
  readonly #random: () => number;
  #dueAt = 0;
  #sweeping: AbortController | undefined;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Cuts short what goes on. */
  interrupt(): void {
    this.#sweeping?.abort();
  }

  /**
   * Sweeps if it is time. `act` returns whether some of it could not be cleared away yet; then it is time again soon.
   * @throws what `act` throws, unless it was cut short
   */
  async sweep(act: (signal: AbortSignal) => Promise<boolean>): Promise<void> {
    const now = this.#clock.monotonic();
    if (now < this.#dueAt) return;
    this.#dueAt = now + everyMs * (1 + this.#random());
    this.#sweeping = new AbortController();
    const { signal } = this.#sweeping;
    try {
      if (await act(signal)) this.#dueAt = now + againMs;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

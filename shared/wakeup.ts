// A sleep that can be cut short: loops sleep on it, and whatever changes what they look at wakes them. A wake-up while
// nobody sleeps is kept, so that none is missed between a look and the sleep after it.
import type { Clock } from './clock.ts';

export class Wakeup {
  #pending = false;
  #sleeping: AbortController | undefined;

  wake(): void {
    this.#pending = true;
    this.#sleeping?.abort();
  }

  /** Resolves after `ms`, on a wake-up, or when `signal` aborts; at once if a wake-up is waiting. */
  async sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#pending && !signal.aborted) {
      const sleeping = new AbortController();
      const onAbort = () => sleeping.abort();
      signal.addEventListener('abort', onAbort, { once: true });
      this.#sleeping = sleeping;
      await clock.sleep(ms, sleeping.signal);
      this.#sleeping = undefined;
      signal.removeEventListener('abort', onAbort);
    }
    this.#pending = false;
  }
}

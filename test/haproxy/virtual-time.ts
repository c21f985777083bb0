// Discrete-event time for property tests: events happen in the order of their virtual time, and between two events
// everything that was promised runs to its end. Nothing waits for real time, so that minutes pass in milliseconds.
import type { Clock } from '../../shared/clock.ts';

interface Event {
  at: number;
  order: number;
  run: () => void;
}

export class VirtualTime {
  now = 0;
  #order = 0;
  #events: Event[] = [];

  /** Runs `run` in `ms` of virtual time; events of the same time in the order in which they were made. */
  after(ms: number, run: () => void): () => void {
    const event = { at: this.now + Math.max(0, ms), order: this.#order++, run };
    this.#events.push(event);
    return () => {
      this.#events = this.#events.filter((other) => other !== event);
    };
  }

  /** Lets virtual time pass up to `until`. */
  async advance(until: number): Promise<void> {
    await settle();
    for (;;) {
      let next: Event | undefined;
      for (const event of this.#events) {
        if (event.at > until) continue;
        if (next === undefined || event.at < next.at || (event.at === next.at && event.order < next.order))
          next = event;
      }
      if (next === undefined) break;
      const chosen = next;
      this.#events = this.#events.filter((event) => event !== chosen);
      this.now = Math.max(this.now, chosen.at);
      chosen.run();
      await settle();
    }
    this.now = Math.max(this.now, until);
  }

  readonly clock: Clock = {
    monotonic: () => this.now,
    wall: () => this.now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) {
          resolve();
          return;
        }
        const cancel = this.after(ms, resolve);
        signal?.addEventListener('abort', () => {
          cancel();
          resolve();
        });
      }),
  };
}

/** Resolves when all microtasks have run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A small, even, seeded generator (mulberry32): the same seed gives the same run. */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

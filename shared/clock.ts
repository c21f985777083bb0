// The clock seam: ages and deadlines use `monotonic`, calendars use `wall` (AUTOSCALING.md, 40).
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds from a fixed, arbitrary start; never goes back. */
  monotonic(): number;
  /** Milliseconds since the epoch. */
  wall(): number;
  /** Resolves after `ms`, or at once (without an error) when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  },
};

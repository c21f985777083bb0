// The service as it goes through virtual time: instances that start, serve and go, and what waits in front of them. Load is
// shared evenly. An instance that is told to go leaves at once, so what draining costs is not in the numbers.
import type { InstanceObservation } from '../decide/observation.ts';
import type { ServiceModel } from './service-model.ts';

export type Instance = { readonly id: string; readonly startedAt: number };

/** What happened in the last step. */
export type Traffic = {
  /** Load that came, and load that was served, per second. */
  readonly arrived: number;
  readonly served: number;
  readonly queue: number;
  /** Load that gave up waiting, per second. */
  readonly givenUp: number;
};

const idle: Traffic = { arrived: 0, served: 0, queue: 0, givenUp: 0 };
const long = 3_600_000;

export class VirtualService {
  readonly model: ServiceModel;
  instances: readonly Instance[];
  traffic: Traffic = idle;
  #made = 0;
  /** Load of the last steps, for rates over a window. */
  readonly #arrivals: { at: number; load: number }[] = [];

  /** Instances of the beginning have been there for long. */
  constructor(model: ServiceModel, size: number) {
    this.model = model;
    this.instances = this.#make(size, -long);
  }

  ready(t: number): Instance[] {
    return this.instances.filter(({ startedAt }) => t - startedAt >= this.model.startMs);
  }

  /** Share of its capacity that each ready instance used in the last step. */
  usage(t: number): number {
    const room = this.ready(t).length * this.model.capacity;
    return room === 0 ? 0 : Math.min(1, this.traffic.served / room);
  }

  /** Serves `load` per second for `stepMs` from `t` on. */
  step(t: number, load: number, stepMs: number): void {
    const { capacity, queueTimeoutMs } = this.model;
    const seconds = stepMs / 1000;
    const waiting = this.traffic.queue + load * seconds;
    const served = Math.min(waiting, this.ready(t).length * capacity * seconds);
    const left = waiting - served;
    // Whoever still waits has come within the timeout.
    const queue = queueTimeoutMs === null ? left : Math.min(left, (load * queueTimeoutMs) / 1000);
    this.traffic = { arrived: load, served: served / seconds, queue, givenUp: (left - queue) / seconds };
    this.#arrivals.push({ at: t, load });
    if (this.#arrivals.length > 4096) this.#arrivals.splice(0, 2048);
  }

  /** Mean load per second over the last `windowMs`. */
  rate(t: number, windowMs: number): number {
    let sum = 0;
    let count = 0;
    for (let index = this.#arrivals.length - 1; index >= 0; index -= 1) {
      const entry = this.#arrivals[index];
      if (entry === undefined || (count > 0 && t - entry.at >= windowMs)) break;
      sum += entry.load;
      count += 1;
    }
    return count === 0 ? 0 : sum / count;
  }

  resize(t: number, to: number, victims: readonly string[]): void {
    const leaving = new Set(victims);
    const staying = this.instances.filter(({ id }) => !leaving.has(id)).slice(0, Math.max(0, to));
    this.instances = [...staying, ...this.#make(to - staying.length, t)];
  }

  observe(t: number): InstanceObservation[] {
    const { startMs } = this.model;
    return this.instances.map(({ id, startedAt }) => {
      const age = t - startedAt;
      const ready = age >= startMs;
      return {
        id,
        phase: ready ? 'running' : 'starting',
        ready,
        startAgeMs: age,
        readyChangedAgeMs: ready ? age - startMs : age,
      };
    });
  }

  #make(count: number, startedAt: number): Instance[] {
    return Array.from({ length: Math.max(0, count) }, () => {
      this.#made += 1;
      return { id: `i${this.#made}`, startedAt };
    });
  }
}

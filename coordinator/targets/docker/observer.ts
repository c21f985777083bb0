// Observes one Docker host. A full listing every few seconds is the truth; events only make the next one come at once.
//
//   list ──► inspect what may have changed ──► publish ──► wait: interval or event ──► list …
//    └ failed ──► publish "unknown", with the last instances marked stale ──► wait ──► list …
//
// Single-flight: one look at a time. After each subscription there is a look, so that no gap in the events matters.
import type { Clock } from '../../../shared/clock.ts';
import { describeError } from '../../../shared/errors.ts';
import { describeLabelProblem } from '../../../shared/labels.ts';
import type { Log } from '../../../shared/log.ts';
import { Wakeup } from '../../../shared/wakeup.ts';
import type { AgentRecord } from '../../agents/agent-record.ts';
import { type Built, buildInstances } from './build-instances.ts';
import type { DockerClient } from './client.ts';
import { DetailsCache } from './details-cache.ts';
import type { ListedContainer } from './engine-schema.ts';
import { followEvents } from './follow-events.ts';
import { readSize, unknownSize } from './host-size.ts';
import { type Instance, readState } from './instance.ts';
import { MachineSize } from './machine-size.ts';
import { type Fate, type HostObservation, observedError } from './observation.ts';
import type { Reservation } from './reservation.ts';

export interface ObserverOptions {
  readonly client: DockerClient;
  readonly log: Log;
  readonly clock: Clock;
  /** Milliseconds between looks while no event comes; default 2000. */
  readonly intervalMs?: number;
  /** The registered agents: their containers are Berth's, whatever their labels say. */
  readonly agents?: () => readonly AgentRecord[];
  /** For metrics. */
  readonly onLook?: (host: string, ms: number, outcome: 'ok' | 'failed') => void;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/** Between two looks, however many events come; a busy engine is given twice the time that the last look took. */
const leastGapMs = 50;
const rememberedGone = 10_000;

export class DockerObserver {
  readonly host: string;
  readonly #options: ObserverOptions;
  readonly #intervalMs: number;
  readonly #details: DetailsCache;
  readonly #machine: MachineSize;
  readonly #listeners = new Set<(observation: HostObservation) => void>();
  readonly #waiting = new Set<(observation: HostObservation) => void>();
  #observation: HostObservation;
  #listed = new Map<string, ListedContainer>();
  #built = new Map<string, Built>();
  #touched = new Set<string>();
  /** Containers that were listed and are no more, oldest first. */
  readonly #gone = new Set<string>();
  readonly #wakeup = new Wakeup();
  #attempt = new AbortController();

  constructor(options: ObserverOptions) {
    const { client, clock, log, intervalMs = 2000 } = options;
    this.host = client.host;
    this.#options = options;
    this.#intervalMs = intervalMs;
    this.#details = new DetailsCache(client, clock, log);
    this.#machine = new MachineSize(client, clock, log);
    const error = observedError(new Error(`Docker host ${this.host} has not been asked yet`));
    this.#observation = {
      host: this.host,
      known: false,
      since: clock.wall(),
      error,
      at: undefined,
      instances: [],
      size: unknownSize,
    };
  }

  view(): HostObservation {
    return this.#observation;
  }

  /** Called after each look that found a change, or found the host known or unknown. Gives what ends it. */
  onChange(listener: (observation: HostObservation) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The next look begins at once. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** What a look sees that begins after this call, while `run` runs. @throws the reason of `signal` */
  async lookAgain(signal: AbortSignal): Promise<HostObservation> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<HostObservation>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.add(resolve);
    this.wake();
    try {
      return await promise;
    } finally {
      this.#waiting.delete(resolve);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** What has become of a container, by its whole id. */
  fate(id: string): Fate {
    if (!this.#observation.known) return 'unknown';
    const listed = this.#listed.get(id);
    if (listed === undefined) return this.#gone.has(id) ? 'gone' : 'unknown';
    const state = readState(listed.State);
    return state === 'running' || state === 'paused' || state === 'restarting' ? 'up' : 'stopped';
  }

  /** Until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, log, onLook, random = Math.random } = this.#options;
    const following = followEvents(
      client,
      {
        clock,
        log,
        random,
        attempt: () => {
          this.#attempt = new AbortController();
          return this.#attempt.signal;
        },
        subscribed: () => this.wake(),
        event: ({ id }) => {
          this.#touched.add(id);
          this.wake();
        },
      },
      signal,
    );
    while (!signal.aborted) {
      const started = clock.monotonic();
      const outcome = await this.#look(signal);
      const took = clock.monotonic() - started;
      if (!signal.aborted) onLook?.(this.host, took, outcome);
      const gap = Math.min(Math.max(leastGapMs, 2 * took), this.#intervalMs);
      await clock.sleep(gap, signal);
      await this.#wakeup.sleep(clock, Math.max(1, this.#intervalMs - gap), signal);
    }
    await following;
  }

  async #look(signal: AbortSignal): Promise<'ok' | 'failed'> {
    const waiting = [...this.#waiting];
    const touched = this.#touched;
    this.#touched = new Set();
    const at = this.#options.clock.monotonic();
    const seen = await this.#read(touched, signal);
    if (signal.aborted) return 'failed';
    if ('error' in seen) {
      for (const id of touched) this.#touched.add(id);
      this.#machine.forget();
      this.#publishUnknown(seen.error);
    } else {
      this.#remember(seen.listed);
      this.#publishKnown(at, seen.built, seen.machine);
    }
    for (const resolve of waiting) resolve(this.#observation);
    return 'error' in seen ? 'failed' : 'ok';
  }

  async #read(touched: ReadonlySet<string>, signal: AbortSignal) {
    const { client, agents = () => [] } = this.#options;
    try {
      const [listed, machine] = await Promise.all([client.list(signal), this.#machine.read(signal)]);
      const details = await this.#details.refresh(listed, touched, signal);
      return { listed, machine, built: buildInstances(this.host, listed, details, agents(), this.#built) };
    } catch (error) {
      return { error };
    }
  }

  #remember(listed: readonly ListedContainer[]): void {
    const now = new Map(listed.map((container) => [container.Id, container]));
    for (const id of this.#listed.keys()) if (!now.has(id)) this.#gone.add(id);
    for (const id of this.#gone) {
      if (this.#gone.size <= rememberedGone) break;
      this.#gone.delete(id);
    }
    this.#listed = now;
  }

  #publishKnown(at: number, built: Map<string, Built>, machine: Reservation): void {
    const { log } = this.#options;
    const instances: Instance[] = [];
    for (const [id, { instance }] of built) {
      if (instance === undefined) continue;
      instances.push(instance);
      if (this.#built.get(id)?.instance === undefined) this.#reportLabels(instance);
    }
    const before = this.#observation;
    this.#built = built;
    const size = readSize(machine, built);
    const { clockAheadMs } = this.#machine;
    this.#observation = { host: this.host, known: true, at, instances, size, clockAheadMs };
    if (!before.known)
      log.info({ event: 'docker.known', host: this.host }, `Docker host ${this.host} answers`);
    const isSame =
      before.known &&
      before.instances.length === instances.length &&
      before.instances.every((instance, index) => instance === instances[index]);
    if (!isSame) this.#notify();
  }

  #publishUnknown(error: unknown): void {
    const { log, clock } = this.#options;
    const before = this.#observation;
    const observed = observedError(error);
    if (before.known || before.error.message !== observed.message)
      log.warn({ event: 'docker.unknown', host: this.host, code: observed.code }, describeError(error));
    if (!before.known) {
      this.#observation = { ...before, error: observed };
      return;
    }
    const instances = before.instances.map((instance) => ({ ...instance, isStale: true }));
    this.#observation = {
      host: this.host,
      known: false,
      since: clock.wall(),
      error: observed,
      at: before.at,
      instances,
      size: before.size,
      clockAheadMs: this.#machine.clockAheadMs,
    };
    // A connection can be dead without either end knowing: the events' one is made anew.
    this.#attempt.abort(error);
    this.#notify();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener(this.#observation);
  }

  #reportLabels({ id, name, labelProblems }: Instance): void {
    for (const problem of labelProblems) {
      const { label, value } = problem;
      this.#options.log.warn(
        { event: 'label.refused', host: this.host, container: id, label, value },
        `${name}: ${describeLabelProblem(problem)}`,
      );
    }
  }
}

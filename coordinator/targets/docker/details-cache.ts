// The details of containers, read again only when they may have changed:
//
//   new, or its state, name or an endpoint in a network is another than at the last reading  → read
//     (an endpoint gets a new id with each start, so that a restart between two listings shows)
//   an event named it since                                                                 → read
//   read longer than a minute ago                                    → read, a few in each round, oldest first
//
// The last line makes it right without events. What can't be read keeps its last details, is marked stale, and is
// left alone for a while: one container on which the engine hangs must not hold up all others.
import type { Clock } from '../../../shared/clock.ts';
import { BerthError, describeError } from '../../../shared/errors.ts';
import type { Log } from '../../../shared/log.ts';
import { callWithDeadline } from './call-deadline.ts';
import type { DockerClient } from './client.ts';
import { type ContainerDetails, detailsOfListed, readDetails } from './container-details.ts';
import { isNotFound, isUnavailable } from './docker-error.ts';
import type { ListedContainer } from './engine-schema.ts';

export interface Cached {
  readonly key: string;
  readonly details: ContainerDetails;
  /** Monotonic milliseconds. */
  readonly readAt: number;
  /** When reading failed, if the last reading did. */
  readonly failedAt: number | undefined;
}

const freshMs = 60_000;
const refreshedAtOnce = 32;
const concurrency = 8;
const readDeadlineMs = 3000;
const retryMs = 30_000;

/** What must be the same for the details to be. */
export function keyOf({ State, Names, NetworkSettings }: ListedContainer): string {
  const endpoints = Object.entries(NetworkSettings?.Networks ?? {}).map(
    ([name, { EndpointID }]) => name + EndpointID,
  );
  return [State, Names?.[0], ...endpoints].join(' ');
}

/** The ids to read now; pure. */
export function planReads(
  listed: readonly ListedContainer[],
  cached: ReadonlyMap<string, Cached>,
  touched: ReadonlySet<string>,
  now: number,
): string[] {
  const needed: string[] = [];
  const old: Cached[] = [];
  const ids = new Map<Cached, string>();
  for (const container of listed) {
    const entry = cached.get(container.Id);
    if (entry?.failedAt !== undefined && now - entry.failedAt < retryMs) continue;
    if (
      entry === undefined ||
      entry.failedAt !== undefined ||
      touched.has(container.Id) ||
      entry.key !== keyOf(container)
    ) {
      needed.push(container.Id);
    } else if (now - entry.readAt > freshMs) {
      old.push(entry);
      ids.set(entry, container.Id);
    }
  }
  const oldest = old.sort((a, b) => a.readAt - b.readAt).slice(0, refreshedAtOnce);
  return [...needed, ...oldest.flatMap((entry) => ids.get(entry) ?? [])];
}

export class DetailsCache {
  readonly #client: DockerClient;
  readonly #clock: Clock;
  readonly #log: Log;
  #entries = new Map<string, Cached>();

  constructor(client: DockerClient, clock: Clock, log: Log) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Reads what may have changed, and gives what is known of each container that is still there.
   * @throws BerthError `docker.unavailable` when the engine went away
   */
  async refresh(
    listed: readonly ListedContainer[],
    touched: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Cached>> {
    const entries = new Map<string, Cached>();
    for (const { Id } of listed) {
      const entry = this.#entries.get(Id);
      if (entry !== undefined) entries.set(Id, entry);
    }
    const byId = new Map(listed.map((container) => [container.Id, container]));
    const waiting = planReads(listed, entries, touched, this.#clock.monotonic());
    const work = async () => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
        const container = byId.get(id);
        if (container !== undefined) await this.#read(container, entries, signal);
      }
    };
    try {
      await Promise.all(Array.from({ length: concurrency }, work));
    } finally {
      this.#entries = entries;
    }
    return entries;
  }

  async #read(container: ListedContainer, entries: Map<string, Cached>, signal: AbortSignal): Promise<void> {
    const { Id: id } = container;
    const now = this.#clock.monotonic();
    const late = new BerthError('docker.unavailable', `no answer within ${readDeadlineMs} ms`);
    try {
      const inspected = await callWithDeadline(
        readDeadlineMs,
        signal,
        () => late,
        (within) => this.#client.inspect(id, within),
      );
      const details = readDetails(inspected);
      entries.set(id, { key: keyOf(container), details, readAt: now, failedAt: undefined });
    } catch (error) {
      signal.throwIfAborted();
      // The engine is away: then nothing is known of any container.
      if (isUnavailable(error) && error !== late) throw error;
      if (isNotFound(error)) {
        entries.delete(id);
        return;
      }
      const known = entries.get(id) ?? { key: '', details: detailsOfListed(container), readAt: now };
      entries.set(id, { ...known, failedAt: now });
      this.#log.warn(
        {
          event: 'docker.container-unreadable',
          host: this.#client.host,
          container: id,
          error: describeError(error),
        },
        `container ${container.Names?.[0] ?? id} could not be inspected: ${describeError(error)}`,
      );
    }
  }
}

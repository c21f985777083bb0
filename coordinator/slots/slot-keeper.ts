// All HAProxys together: one keeper each, and the names among them looked up again from time to time, since a name with
// several addresses counts as several HAProxys (DESIGN.md).
import { lookup } from 'node:dns/promises';
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Endpoint, Lookup } from '../../shared/haproxy/endpoint.ts';
import { EndpointNames } from '../../shared/haproxy/endpoint-names.ts';
import type { Log } from '../../shared/log.ts';
import type { AgentRecord } from '../agents/agent-record.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import type { SeenHaproxy } from '../observe/haproxy.ts';
import { HaproxyKeeper, type KeeperHooks } from './haproxy-keeper.ts';
import type { HaproxyView, SlotView } from './slot-view.ts';

export interface SlotKeeperOptions {
  haproxys: readonly Endpoint[];
  slotPrefix: string;
  intervalMs: number;
  registry: { list(): readonly AgentRecord[]; onChange(listener: () => void): () => void };
  audit: { record(entry: AuditEntry): Promise<void> };
  log: Log;
  clock: Clock;
  /** Default: the system's. */
  lookup?: Lookup;
  /** What Docker says of the agent's container; default: unknown. */
  containerFate?: KeeperHooks['containerFate'];
  /** Slot prefixes beside the configured one. */
  prefixes?: KeeperHooks['prefixes'];
  /** For metrics. */
  onRound?: KeeperHooks['round'];
  onRepair?: KeeperHooks['repaired'];
  /** Slots or HAProxys have changed. */
  onChange?: () => void;
}

const resolveEveryMs = 15_000;

interface Running {
  keeper: HaproxyKeeper;
  stop: AbortController;
  ended: Promise<void>;
}

export class SlotKeeper {
  readonly #options: SlotKeeperOptions;
  readonly #running = new Map<string, Running>();
  readonly #stopping = new Set<Promise<void>>();
  readonly #names: EndpointNames;
  #signal: AbortSignal | undefined;
  readonly #hooks: KeeperHooks;

  constructor(options: SlotKeeperOptions) {
    const { log, clock, registry, audit, lookup = addressesOf } = options;
    this.#options = options;
    this.#names = new EndpointNames(options.haproxys, {
      clock,
      lookup,
      onFound: () => this.#follow(),
      onFailed: (host, error) => {
        const text = `HAPROXY_SERVER: ${host} cannot be looked up: ${error}`;
        log.warn({ event: 'haproxy.unresolved', host, error }, text);
      },
    });
    this.#hooks = {
      log,
      clock,
      audit: (entry) => {
        audit.record(entry).catch((error: unknown) => {
          log.error({ event: 'audit.failed', error: describeError(error) }, 'an audit row was not written');
        });
      },
      agents: () => registry.list(),
      containerFate: options.containerFate ?? (() => 'unknown'),
      prefixes: options.prefixes ?? (() => []),
      // A name that was not found yet is one too.
      haproxyCount: () => Math.max(this.#running.size, options.haproxys.length),
      round: options.onRound ?? (() => undefined),
      repaired: options.onRepair ?? (() => undefined),
      changed: options.onChange ?? (() => undefined),
    };
  }

  /** Until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const stopListening = this.#options.registry.onChange(() => this.wake());
    this.#signal = signal;
    this.#follow();
    try {
      while (!signal.aborted) {
        await this.#names.look(signal);
        await this.#options.clock.sleep(resolveEveryMs, signal);
      }
    } finally {
      stopListening();
      await Promise.all([...this.#stopping, ...[...this.#running.values()].map(({ ended }) => ended)]);
    }
  }

  wake(): void {
    for (const { keeper } of this.#running.values()) keeper.wake();
  }

  slots(): SlotView[] {
    return this.#keepers().flatMap((keeper) => keeper.slots());
  }

  haproxys(): HaproxyView[] {
    return this.#keepers().map((keeper) => keeper.view());
  }

  /** When each HAProxy was last looked at, whether it answered or not; monotonic milliseconds. */
  lastLooks(): ReadonlyMap<string, number | undefined> {
    return new Map(this.#keepers().map(({ name, lastLookAt }) => [name, lastLookAt]));
  }

  /** The HAProxys with what was last seen of them, for what reads numbers out of it. */
  seen(): SeenHaproxy[] {
    return this.#keepers().map(({ name, api, picture }) => ({ name, api, rows: picture?.rows }));
  }

  #keepers(): HaproxyKeeper[] {
    return [...this.#running.values()].map(({ keeper }) => keeper);
  }

  /** Starts a keeper for each HAProxy that has none, ends those whose HAProxy is not in the names any more. */
  #follow(): void {
    const signal = this.#signal;
    if (signal === undefined || signal.aborted) return;
    const { slotPrefix, intervalMs } = this.#options;
    const endpoints = this.#names.all;
    const names = new Set(endpoints.map(({ name }) => name));
    for (const [name, { stop, ended }] of this.#running) {
      if (names.has(name)) continue;
      this.#running.delete(name);
      this.#stopping.add(ended);
      void ended.then(() => this.#stopping.delete(ended));
      stop.abort();
    }
    // It may be the same HAProxy under another name: two keepers at once would be in each other's way.
    const before = Promise.all(this.#stopping);
    for (const endpoint of endpoints) {
      if (this.#running.has(endpoint.name)) continue;
      const keeper = new HaproxyKeeper(endpoint, { slotPrefix, intervalMs }, this.#hooks);
      const stop = new AbortController();
      const ended = before.then(() => keeper.run(AbortSignal.any([signal, stop.signal])));
      this.#running.set(endpoint.name, { keeper, stop, ended });
    }
  }
}

async function addressesOf(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

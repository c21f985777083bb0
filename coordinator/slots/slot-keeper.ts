// All HAProxys together: one keeper each, and the names among them looked up again from time to time, since a name with
// several addresses counts as several HAProxys (DESIGN.md).
import { lookup } from 'node:dns/promises';
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import { type Endpoint, resolveEndpoints } from '../../shared/haproxy/endpoint.ts';
import type { Log } from '../../shared/log.ts';
import type { AgentRecord } from '../agents/agent-record.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
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
/** A name server that does not answer holds up nobody: until it does, names are taken as they were last known. */
const lookupMs = 2000;

interface Running {
  keeper: HaproxyKeeper;
  stop: AbortController;
  ended: Promise<void>;
}

export class SlotKeeper {
  readonly #options: SlotKeeperOptions;
  readonly #running = new Map<string, Running>();
  readonly #known = new Map<string, readonly string[]>();
  readonly #hooks: KeeperHooks;

  constructor(options: SlotKeeperOptions) {
    const { log, clock, registry, audit } = options;
    this.#options = options;
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
      haproxyCount: () => this.#running.size,
      round: options.onRound ?? (() => undefined),
      repaired: options.onRepair ?? (() => undefined),
      changed: options.onChange ?? (() => undefined),
    };
  }

  /** Until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const stopListening = this.#options.registry.onChange(() => this.wake());
    try {
      while (!signal.aborted) {
        await this.#follow(signal);
        await this.#options.clock.sleep(resolveEveryMs, signal);
      }
    } finally {
      stopListening();
      await Promise.all([...this.#running.values()].map(({ ended }) => ended));
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

  /** The last looks, for what reads numbers out of them. */
  keepers(): readonly HaproxyKeeper[] {
    return this.#keepers();
  }

  #keepers(): HaproxyKeeper[] {
    return [...this.#running.values()].map(({ keeper }) => keeper);
  }

  /** Starts a keeper for each HAProxy that has none, ends those whose HAProxy is not in the names any more. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { haproxys, slotPrefix, intervalMs } = this.#options;
    const endpoints = await resolveEndpoints(haproxys, (host) => this.#lookUp(host));
    if (signal.aborted) return;
    const names = new Set(endpoints.map(({ name }) => name));
    for (const [name, running] of this.#running) {
      if (names.has(name)) continue;
      running.stop.abort();
      this.#running.delete(name);
      await running.ended;
    }
    for (const endpoint of endpoints) {
      if (this.#running.has(endpoint.name)) continue;
      const keeper = new HaproxyKeeper(endpoint, { slotPrefix, intervalMs }, this.#hooks);
      const stop = new AbortController();
      const ended = keeper.run(AbortSignal.any([signal, stop.signal]));
      this.#running.set(endpoint.name, { keeper, stop, ended });
    }
  }

  async #lookUp(host: string): Promise<readonly string[]> {
    const { log, clock } = this.#options;
    const done = new AbortController();
    try {
      const found = await Promise.race([lookup(host, { all: true }), clock.sleep(lookupMs, done.signal)]);
      if (found === undefined) throw new Error(`no answer within ${lookupMs} ms`);
      this.#known.set(
        host,
        found.map(({ address }) => address),
      );
    } catch (error) {
      const text = `HAPROXY_SERVER: ${host} cannot be looked up: ${describeError(error)}`;
      log.warn({ event: 'haproxy.unresolved', host, error: describeError(error) }, text);
    } finally {
      done.abort();
    }
    return this.#known.get(host) ?? [];
  }
}

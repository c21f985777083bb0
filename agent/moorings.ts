// One mooring for each HAProxy that the configuration names. A name may stand for several, and those may change: names
// are looked up again and again, and what is new is added.
//
// A HAProxy whose address is not in the answer any more is left without giving the slot back: it may be gone, it may
// be the same one under another name (whose mooring finds the slot by its address), or DNS may have lost it for a
// moment. A lookup that fails changes nothing.
import type { Clock } from '../shared/clock.ts';
import { describeError } from '../shared/errors.ts';
import { type Endpoint, type Lookup, resolveEndpoints } from '../shared/haproxy/endpoint.ts';
import type { Log } from '../shared/log.ts';
import type { Mooring } from './mooring.ts';

const lookAgainMs = 30_000;
/** When a HAProxy is in trouble: it may have come back under another address. */
const lookAgainSoonMs = 2000;

export interface MooringsHooks {
  log: Log;
  clock: Clock;
  lookup: Lookup;
  /** Makes the mooring for one endpoint; it runs until `signal` aborts. */
  moor(endpoint: Endpoint, signal: AbortSignal): Mooring;
  onChange(): void;
}

export class Moorings {
  readonly #endpoints: readonly Endpoint[];
  readonly #hooks: MooringsHooks;
  readonly #moored = new Map<string, { mooring: Mooring; stop: AbortController }>();
  readonly #known = new Map<string, readonly string[]>();

  constructor(endpoints: readonly Endpoint[], hooks: MooringsHooks) {
    this.#endpoints = endpoints;
    this.#hooks = hooks;
  }

  get all(): Mooring[] {
    return [...this.#moored.values()].map(({ mooring }) => mooring);
  }

  /** Moors at every HAProxy, and follows the names until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#hooks;
    let lookedAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const troubled = this.all.some((mooring) => mooring.report().error !== undefined);
      if (troubled || clock.monotonic() - lookedAt >= lookAgainMs) {
        lookedAt = clock.monotonic();
        const endpoints = await resolveEndpoints(this.#endpoints, (host) => this.#lookUp(host));
        if (this.#moorAt(endpoints, signal)) this.#hooks.onChange();
      }
      await clock.sleep(lookAgainSoonMs, signal);
    }
  }

  /** The addresses of `host`; those that were last known when the lookup fails. */
  async #lookUp(host: string): Promise<readonly string[]> {
    try {
      const addresses = await this.#hooks.lookup(host);
      this.#known.set(host, addresses);
      return addresses;
    } catch (error) {
      this.#hooks.log.debug(
        { event: 'lookup.failed', host, error: describeError(error) },
        `${host} was not found`,
      );
      return this.#known.get(host) ?? [];
    }
  }

  #moorAt(endpoints: readonly Endpoint[], signal: AbortSignal): boolean {
    if (signal.aborted) return false;
    const wanted = new Set(endpoints.map((endpoint) => endpoint.name));
    const gone = [...this.#moored].filter(([name]) => !wanted.has(name));
    const added = endpoints.filter((endpoint) => !this.#moored.has(endpoint.name));
    for (const [name, { stop }] of gone) {
      this.#moored.delete(name);
      stop.abort();
      this.#hooks.log.info(
        { event: 'haproxy.left', haproxy: name },
        `${name} is not among the addresses any more`,
      );
    }
    for (const endpoint of added) {
      const stop = new AbortController();
      const mooring = this.#hooks.moor(endpoint, AbortSignal.any([signal, stop.signal]));
      this.#moored.set(endpoint.name, { mooring, stop });
    }
    return gone.length + added.length > 0;
  }
}

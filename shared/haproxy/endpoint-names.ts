// The HAProxys that a list of names stands for, looked up again and again. Names are looked up side by side and each
// counts as soon as it is there: one that fails or hangs changes nothing for the others, and is taken as it was last known.
// One that still hangs is not asked a second time: lookups cannot be aborted, and few run at once in a process.
import type { Clock } from '../clock.ts';
import { describeError } from '../errors.ts';
import { Wakeup } from '../wakeup.ts';
import { type Endpoint, isNamed, type Lookup, spellEndpoints } from './endpoint.ts';

export interface EndpointNamesHooks {
  clock: Clock;
  lookup: Lookup;
  /** More HAProxys are known, or fewer, or others. */
  onFound(): void;
  onFailed(host: string, error: string): void;
}

/** `look` waits no longer; an answer that comes later counts all the same. */
const withinMs = 2000;

export class EndpointNames {
  readonly #endpoints: readonly Endpoint[];
  readonly #hooks: EndpointNamesHooks;
  readonly #found = new Map<Endpoint, readonly Endpoint[]>();
  readonly #asking = new Set<Endpoint>();

  constructor(endpoints: readonly Endpoint[], hooks: EndpointNamesHooks) {
    this.#endpoints = endpoints;
    this.#hooks = hooks;
    for (const endpoint of endpoints) if (!isNamed(endpoint)) this.#found.set(endpoint, [endpoint]);
  }

  /** As last known, each once. */
  get all(): Endpoint[] {
    const all = this.#endpoints.flatMap((endpoint) => this.#found.get(endpoint) ?? []);
    return [...new Map(all.map((endpoint) => [endpoint.name, endpoint])).values()];
  }

  /** Looks all names up. Never rejects; resolves when all have answered, after two seconds, or when `signal` aborts. */
  async look(signal: AbortSignal): Promise<void> {
    const named = this.#endpoints.filter(isNamed);
    const answered = new Wakeup();
    void Promise.all(named.map((endpoint) => this.#lookUp(endpoint))).then(() => answered.wake());
    await answered.sleep(this.#hooks.clock, withinMs, signal);
    if (signal.aborted) return;
    for (const endpoint of this.#asking)
      this.#hooks.onFailed(endpoint.host, `no answer within ${withinMs} ms`);
  }

  async #lookUp(endpoint: Endpoint): Promise<void> {
    if (this.#asking.has(endpoint)) return;
    this.#asking.add(endpoint);
    try {
      const addresses = await this.#hooks.lookup(endpoint.host);
      this.#found.set(endpoint, spellEndpoints(endpoint, addresses));
      this.#hooks.onFound();
    } catch (error) {
      this.#hooks.onFailed(endpoint.host, describeError(error));
    } finally {
      this.#asking.delete(endpoint);
    }
  }
}

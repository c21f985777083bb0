// The load of every backend on every HAProxy: one `show info` and `show stat` for all policies that ask at about the
// same time. Each proxy is read on its own, so one that hangs costs the others nothing.
import type { Clock } from '../../shared/clock.ts';
import { BerthError } from '../../shared/errors.ts';
import { commands } from '../../shared/haproxy/commands.ts';
import type { RuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { parseInfo } from '../../shared/haproxy/servers-state.ts';
import type { FailedReading } from '../decide/observation.ts';
import { type BackendLoad, parseBackendLoads } from './backend-loads.ts';
import { failedReading } from './reading-error.ts';
import { type ReadWhen, SharedRead } from './shared-read.ts';

export interface NamedRuntimeApi {
  readonly name: string;
  readonly api: RuntimeApi;
}

export interface ProxyLoads {
  readonly proxy: string;
  /** When it answered; monotonic. */
  readonly at: number;
  /** The process that counted: another one begins at zero. */
  readonly process: string;
  readonly backends: ReadonlyMap<string, BackendLoad>;
}

export interface MissingProxy {
  readonly proxy: string;
  readonly failure: FailedReading;
}

export class HaproxyLoads {
  readonly #proxies: () => readonly NamedRuntimeApi[];
  readonly #clock: Clock;
  readonly #reads = new Map<string, { readonly api: RuntimeApi; readonly shared: SharedRead<ProxyLoads> }>();

  constructor(proxies: () => readonly NamedRuntimeApi[], clock: Clock) {
    this.#proxies = proxies;
    this.#clock = clock;
  }

  /** Every proxy, with its loads or with why they are missing. @throws the signal's reason, when it is no deadline */
  async read(when: ReadWhen): Promise<readonly (ProxyLoads | MissingProxy)[]> {
    const proxies = this.#proxies();
    const names = new Set(proxies.map(({ name }) => name));
    for (const name of this.#reads.keys()) if (!names.has(name)) this.#reads.delete(name);
    return Promise.all(
      proxies.map(async ({ name, api }) => {
        try {
          return (await this.#sharedFor(name, api).get(when)).value;
        } catch (error) {
          return { proxy: name, failure: failedReading(error) };
        }
      }),
    );
  }

  #sharedFor(name: string, api: RuntimeApi): SharedRead<ProxyLoads> {
    const known = this.#reads.get(name);
    if (known?.api === api) return known.shared;
    const shared = new SharedRead(this.#clock, ({ signal }) => this.#readOne(name, api, signal));
    this.#reads.set(name, { api, shared });
    return shared;
  }

  async #readOne(proxy: string, api: RuntimeApi, signal: AbortSignal): Promise<ProxyLoads> {
    const { replies } = await api.transact([commands.showInfo(), commands.showStat()], signal);
    const [info, stat] = replies;
    if (info === undefined || stat === undefined)
      throw new BerthError('haproxy.bad-reply', `HAProxy ${proxy} gave ${replies.length} of 2 replies`);
    const { pid, startTime, stopping } = parseInfo(info);
    if (stopping)
      throw new BerthError(
        'haproxy.stopping',
        `HAProxy ${proxy}: a worker answered that a reload has replaced`,
      );
    const at = this.#clock.monotonic();
    return { proxy, at, process: `${pid}@${startTime}`, backends: parseBackendLoads(stat) };
  }
}

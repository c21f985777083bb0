// One link for each HAProxy that the configuration names. A name may stand for several, and those may change: names
// are looked up again and again, and what is new is added.
//
// A HAProxy whose address is not in the answer any more is left without giving the slot back: it may be gone, it may
// be the same one under another name (whose link finds the slot by its address), or DNS may have lost it for a
// moment. A lookup that fails changes nothing.
import type { Clock } from '../shared/clock.ts';
import type { Endpoint, Lookup } from '../shared/haproxy/endpoint.ts';
import { EndpointNames } from '../shared/haproxy/endpoint-names.ts';
import type { Log } from '../shared/log.ts';
import type { HaproxyLink } from './haproxy-link.ts';

const lookAgainMs = 30_000;
/** When a HAProxy is in trouble: it may have come back under another address. */
const lookAgainSoonMs = 2000;

/** What following the names needs of a link. */
export type FollowedLink = Pick<HaproxyLink, 'end'> & {
  readonly registration: Pick<HaproxyLink['registration'], 'attended'>;
  report(): Pick<ReturnType<HaproxyLink['report']>, 'error'>;
};

export interface HaproxyLinksHooks<Link extends FollowedLink> {
  log: Log;
  clock: Clock;
  lookup: Lookup;
  /** Makes the link for one endpoint; it runs until `signal` aborts. */
  connect(endpoint: Endpoint, signal: AbortSignal): Link;
  onChange(): void;
}

export class HaproxyLinks<Link extends FollowedLink = HaproxyLink> {
  readonly #endpoints: readonly Endpoint[];
  readonly #hooks: HaproxyLinksHooks<Link>;
  readonly #links = new Map<string, { link: Link; stop: AbortController }>();

  #attended = false;
  #firstLook: Promise<void> = Promise.resolve();

  constructor(endpoints: readonly Endpoint[], hooks: HaproxyLinksHooks<Link>) {
    this.#endpoints = endpoints;
    this.#hooks = hooks;
  }

  get all(): Link[] {
    return [...this.#links.values()].map(({ link }) => link);
  }

  /** Whether a coordinator looks after the slots too; links that are added later know it as well. */
  set attended(attended: boolean) {
    this.#attended = attended;
    for (const { registration } of this.all) registration.attended = attended;
  }

  /** Links to every HAProxy, and follows the names until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, lookup, log, onChange } = this.#hooks;
    const names: EndpointNames = new EndpointNames(this.#endpoints, {
      clock,
      lookup,
      onFound: () => follow(),
      onFailed: (host, error) =>
        log.debug({ event: 'lookup.failed', host, error }, `${host} was not found: ${error}`),
    });
    const follow = () => {
      if (this.#follow(names.all, signal)) onChange();
    };
    follow();
    let lookedAt = clock.monotonic();
    this.#firstLook = names.look(signal);
    await this.#firstLook;
    while (!signal.aborted) {
      await clock.sleep(lookAgainSoonMs, signal);
      const troubled = this.all.some((link) => link.report().error !== undefined);
      if (signal.aborted || (!troubled && clock.monotonic() - lookedAt < lookAgainMs)) continue;
      lookedAt = clock.monotonic();
      await names.look(signal);
    }
  }

  /** Ends every link, also those whose names are still being looked up for the first time: the app may be quicker. */
  async end(reason: string): Promise<void> {
    const endAll = () => Promise.all(this.all.map((link) => link.end(reason)));
    await endAll();
    await this.#firstLook;
    await endAll();
  }

  #follow(endpoints: readonly Endpoint[], signal: AbortSignal): boolean {
    if (signal.aborted) return false;
    const wanted = new Set(endpoints.map((endpoint) => endpoint.name));
    const gone = [...this.#links].filter(([name]) => !wanted.has(name));
    const added = endpoints.filter((endpoint) => !this.#links.has(endpoint.name));
    for (const [name, { stop }] of gone) {
      this.#links.delete(name);
      stop.abort();
      this.#hooks.log.info(
        { event: 'haproxy.left', haproxy: name },
        `${name} is not among the addresses any more`,
      );
    }
    for (const endpoint of added) {
      const stop = new AbortController();
      const link = this.#hooks.connect(endpoint, AbortSignal.any([signal, stop.signal]));
      link.registration.attended = this.#attended;
      this.#links.set(endpoint.name, { link, stop });
    }
    return gone.length + added.length > 0;
  }
}

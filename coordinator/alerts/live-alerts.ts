// Which of the known alerts act for a service now: live, about it, and not silenced.
import type { AlertWeights } from './alert-demand.ts';
import type { AlertPool, KnownAlert } from './alert-pool.ts';
import type { AlertSignal, ContainerRef } from './alert-signal.ts';
import type { Now } from './judge-alert.ts';
import type { Silence } from './silence.ts';
import type { Silences } from './silences.ts';

export class LiveAlerts {
  readonly #pool: AlertPool;
  readonly #silences: Silences;
  readonly #serviceOfContainer: (container: ContainerRef) => string | undefined;

  constructor(
    pool: AlertPool,
    silences: Silences,
    serviceOfContainer: (container: ContainerRef) => string | undefined,
  ) {
    this.#pool = pool;
    this.#silences = silences;
    this.#serviceOfContainer = serviceOfContainer;
  }

  /** An alert that names neither a service nor a container that is known acts where the policy names its rule. */
  of(service: string, now: Now, byName: AlertWeights['byName'] = {}): KnownAlert[] {
    const loose = this.#pool.unaddressed(now).filter(({ entry: { signal } }) => {
      const about = this.serviceOf(signal);
      if (about !== undefined || signal.ask.kind !== 'named') return about === service;
      return Object.hasOwn(byName, signal.name);
    });
    return [...this.#pool.ofService(service, now), ...loose].filter(
      ({ entry }) => this.silenceOf(entry.signal, now) === undefined,
    );
  }

  /** The service that an alert is about, as far as that is known. */
  serviceOf({ service, container, haproxy }: AlertSignal): string | undefined {
    return service ?? (container && this.#serviceOfContainer(container)) ?? haproxy?.backend;
  }

  silenceOf(signal: AlertSignal, now: Now): Silence | undefined {
    return this.#silences.of(signal, this.serviceOf(signal), now.wall);
  }
}

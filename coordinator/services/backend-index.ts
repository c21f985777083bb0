// The backend of each service, and the service that alone has a backend: asked for each service at each evaluation, so it
// is looked up once for all of them, again only after agents, containers or the services themselves have changed.
import type { Instance } from '../targets/docker/instance.ts';
import type { Fleet } from './fleet.ts';
import type { FleetAgents } from './fleet-agents.ts';
import type { Services } from './services.ts';

interface Index {
  agentsVersion: number;
  membership: number;
  instances: readonly Instance[];
  /** By service: where its agents have slots, else what a label says. */
  backends: ReadonlyMap<string, string>;
  /** By backend. */
  services: ReadonlyMap<string, readonly string[]>;
}

export class BackendIndex {
  readonly #parts: { fleet: Fleet; agents: FleetAgents; services: Services };
  #index: Index | undefined;

  constructor(parts: { fleet: Fleet; agents: FleetAgents; services: Services }) {
    this.#parts = parts;
  }

  /** The backend in which instances of the service have slots, what a label says, or the service's own name. */
  backendOf(service: string): string {
    return this.#current().backends.get(service) ?? service;
  }

  /** The service of this name, or the only one that has the backend of this name, as HAProxy's own metrics call it. */
  serviceCalled(name: string): string | undefined {
    if (this.#parts.services.get(name) !== undefined) return name;
    const [only, ...more] = this.#current().services.get(name) ?? [];
    return more.length === 0 ? only : undefined;
  }

  #current(): Index {
    const { fleet, agents, services } = this.#parts;
    const instances = fleet.instances();
    const known = this.#index;
    if (
      known?.agentsVersion === agents.version &&
      known.membership === services.membership &&
      known.instances === instances
    )
      return known;
    const backends = new Map<string, string>();
    const note = (service: string | undefined, backend: string | undefined) => {
      if (service !== undefined && backend !== undefined && !backends.has(service))
        backends.set(service, backend);
    };
    for (const { service, registrations } of agents.list())
      note(service, registrations.find(({ backend }) => backend !== undefined)?.backend);
    for (const { service, settings } of instances) note(service, settings.backend);
    const byBackend = Map.groupBy(
      services.list().map(({ service }) => service),
      (service) => backends.get(service) ?? service,
    );
    const { version: agentsVersion } = agents;
    const { membership } = services;
    this.#index = { agentsVersion, membership, instances, backends, services: byBackend };
    return this.#index;
  }
}

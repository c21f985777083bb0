// The containers that alerts name, looked up among those that Docker has.
import type { AlertDemand } from '../alerts/alert-demand.ts';
import type { AlertInbox } from '../alerts/alert-inbox.ts';
import type { Instance } from '../targets/docker/instance.ts';
import type { HostObservation } from '../targets/docker/observation.ts';
import { chooseNamed, describeSeveral, type Meant, type Named, withKnownHost } from './named-container.ts';

export type NamedInstance = Pick<Instance, 'id' | 'name' | 'host' | 'service' | 'protect' | 'createdAt'>;
export type NodeDemand = Extract<AlertDemand, { kind: 'node' }>;

/** What is needed of the fleet. */
export interface Containers {
  readonly empty: boolean;
  views(): readonly Pick<HostObservation, 'host' | 'known'>[];
  instances(): readonly NamedInstance[];
}

export class AlertContainers {
  readonly #inbox: Pick<AlertInbox, 'row'>;
  readonly #fleet: Containers;

  constructor(inbox: Pick<AlertInbox, 'row'>, fleet: Containers) {
    this.#inbox = inbox;
    this.#fleet = fleet;
  }

  find(demand: NodeDemand): Meant<NamedInstance> {
    return this.meant(demand.container, this.knownSince(demand));
  }

  meant(container: Named, before?: number): Meant<NamedInstance> {
    return chooseNamed(container, this.#fleet.instances(), this.#hosts(), before);
  }

  /** The container as instances are compared with it. */
  named({ container }: NodeDemand): Named {
    return withKnownHost(container, this.#hosts());
  }

  /** Why what is asked for cannot be done to the container; undefined when it can, or cannot be known for now. */
  obstacle(demand: NodeDemand, service: string): string | undefined {
    const { container, direction } = demand;
    const name = container.name ?? container.id;
    const meant = this.find(demand);
    if (meant.kind === 'several') return describeSeveral(container, meant.all);
    if (!this.knowsAll()) return undefined;
    if (meant.kind === 'none')
      return `no container ${name} is there: it is gone, or has neither an agent nor labels of Berth`;
    const { service: own, protect } = meant.one;
    if (own !== service)
      return `container ${name} is ${own === undefined ? 'of no service' : `of service ${own}`}, not of ${service}`;
    if (direction === 'down' && protect) return `container ${name} is protected (berth.protect)`;
    return undefined;
  }

  /** When the alert first came, by our own clock: that of its sender may be another. */
  knownSince({ fingerprint, since }: NodeDemand): number {
    return this.#inbox.row(fingerprint)?.receivedAt ?? since;
  }

  /** What is not listed is gone only when every host has answered. */
  knowsAll(): boolean {
    return !this.#fleet.empty && this.#fleet.views().every(({ known }) => known);
  }

  #hosts(): Set<string> {
    return new Set(this.#fleet.views().map(({ host }) => host));
  }
}

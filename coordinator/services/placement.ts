// Where a new instance is made: what is known of the hosts, and what is being made there already, as room on each
// (decide/capacity.ts). What is being made counts from the moment that it was decided on until Docker's listing shows it
// running, so that two that are made at once do not both take the last room.
import {
  type Amounts,
  chooseHost,
  countFits,
  describeNoRoom,
  type HostRoom,
  type RoomShares,
} from '../decide/capacity.ts';
import { type Instance, takesRoom } from '../targets/docker/instance.ts';
import type { HostObservation } from '../targets/docker/observation.ts';
import { readReservation } from '../targets/docker/reservation.ts';
import type { ContainerSpec } from '../targets/docker/spec.ts';
import type { Coming } from './creations.ts';

/** How many more instances the hosts can take, and why no more. */
export interface Room {
  readonly fits: number;
  readonly why: string;
}

/** A place that is taken, or spoken for. */
type Place = Pick<Coming, 'service' | 'host' | 'need' | 'id'>;

/** The instances of a host that take room. */
interface Up {
  readonly ids: ReadonlySet<string>;
  readonly byService: ReadonlyMap<string, number>;
}

export class Placement {
  readonly #views: () => readonly HostObservation[];
  readonly #coming: () => readonly Place[];
  readonly #shares: RoomShares;
  readonly #up = new WeakMap<readonly Instance[], Up>();

  constructor(parts: {
    views: () => readonly HostObservation[];
    coming: () => readonly Place[];
    shares: RoomShares;
  }) {
    this.#views = parts.views;
    this.#coming = parts.coming;
    this.#shares = parts.shares;
  }

  /**
   * `claimed`: instances of other services that come first, by what each needs; `avoided`: hosts that are out of
   * question.
   */
  room(
    service: string,
    spec: ContainerSpec,
    {
      claimed = [],
      avoided = none,
    }: { claimed?: readonly ContainerSpec[]; avoided?: ReadonlySet<string> } = {},
  ): Room {
    const need = readReservation(spec.hostConfig);
    const places = claimed.length === 0 ? [] : this.#placesOf(claimed);
    const rooms = this.#rooms(service, avoided, places);
    return {
      fits: countFits(rooms, need, this.#shares),
      why: describeNoRoom(rooms, need, this.#shares),
    };
  }

  /** A host for one more, and what it takes there; undefined when no host answers or none has room. */
  choose(
    service: string,
    spec: ContainerSpec,
    avoided: ReadonlySet<string>,
  ): { host: string; need: Amounts } | undefined {
    const need = readReservation(spec.hostConfig);
    const host = chooseHost(this.#rooms(service, avoided), need, this.#shares);
    return host === undefined ? undefined : { host, need };
  }

  #placesOf(claimed: readonly ContainerSpec[]): Place[] {
    const places: Place[] = [];
    for (const { hostConfig } of claimed) {
      const need = readReservation(hostConfig);
      const host = chooseHost(this.#rooms('', none, places), need, this.#shares);
      if (host !== undefined) places.push({ service: '', host, need });
    }
    return places;
  }

  #rooms(service: string, avoided: ReadonlySet<string>, claimed: readonly Place[] = []): HostRoom[] {
    const taken = [...this.#coming(), ...claimed];
    return this.#views()
      .filter(({ known, host }) => known && !avoided.has(host))
      .map(({ host, instances, size: { machine, promised } }) => {
        const up = this.#upOn(instances);
        const coming = taken.filter(
          (each) => each.host === host && (each.id === undefined || !up.ids.has(each.id)),
        );
        const sum = (of: (need: Amounts) => number | undefined) =>
          coming.reduce((total, { need }) => total + (of(need) ?? 0), 0);
        return {
          host,
          machine,
          promised: {
            memoryBytes: promised.memoryBytes + sum(({ memoryBytes }) => memoryBytes),
            cpuMilli: promised.cpuMilli + sum(({ cpuMilli }) => cpuMilli),
          },
          ofService:
            (up.byService.get(service) ?? 0) + coming.filter((each) => each.service === service).length,
          instances: up.ids.size + coming.length,
        };
      });
  }

  /** Once for each listing of a host, not for each service. */
  #upOn(instances: readonly Instance[]): Up {
    const known = this.#up.get(instances);
    if (known !== undefined) return known;
    const ids = new Set<string>();
    const byService = new Map<string, number>();
    for (const { id, service = '', state } of instances) {
      if (!takesRoom(state)) continue;
      ids.add(id);
      byService.set(service, (byService.get(service) ?? 0) + 1);
    }
    const up = { ids, byService };
    this.#up.set(instances, up);
    return up;
  }
}

const none: ReadonlySet<string> = new Set();

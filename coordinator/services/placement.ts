// Where a new instance is made: what is known of the hosts, and what is being made there already, as room on each
// (decide/capacity.ts). What is being made counts from the moment that it was decided on until Docker's listing shows it
// running, so that two that are made at once do not both take the last room.
import type { Clock } from '../../shared/clock.ts';
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

/** A host that lacks the image, say, is tried again after this long although others would do. */
const failuresCountMs = 300_000;

/** An instance that is being made. */
export interface Coming {
  readonly service: string;
  readonly host: string;
  readonly need: Amounts;
  /** Once the engine has made it. */
  id?: string;
}

/** How many more instances the hosts can take, and why no more. */
export interface Room {
  readonly fits: number;
  readonly why: string;
}

/** The instances of a host that take room. */
interface Up {
  readonly ids: ReadonlySet<string>;
  readonly byService: ReadonlyMap<string, number>;
}

export class Placement {
  readonly #views: () => readonly HostObservation[];
  readonly #shares: RoomShares;
  readonly #clock: Clock;
  readonly #coming = new Set<Coming>();
  readonly #up = new WeakMap<readonly Instance[], Up>();
  /** By service and host: how often making one has failed there since it last went well, and when it last did. */
  readonly #failures = new Map<string, { count: number; at: number }>();

  constructor(parts: { views: () => readonly HostObservation[]; shares: RoomShares; clock: Clock }) {
    this.#views = parts.views;
    this.#shares = parts.shares;
    this.#clock = parts.clock;
  }

  /** `claimed`: instances of other services that come first, by what each needs. */
  room(service: string, spec: ContainerSpec, claimed: readonly ContainerSpec[] = []): Room {
    const need = readReservation(spec.hostConfig);
    const rooms = this.#rooms(service, claimed.length === 0 ? [] : this.#placesOf(claimed));
    return {
      fits: countFits(rooms, need, this.#shares),
      why: describeNoRoom(rooms, need, this.#shares),
    };
  }

  /** Takes a place for one more; undefined when no host answers or none has room. It is held until `settle`. */
  take(service: string, spec: ContainerSpec): Coming | undefined {
    const need = readReservation(spec.hostConfig);
    const now = this.#clock.monotonic();
    const failures = (host: string) => {
      const { count, at } = this.#failures.get(keyOf({ service, host })) ?? { count: 0, at: now };
      return now - at < failuresCountMs ? count : 0;
    };
    const host = chooseHost(this.#rooms(service), need, this.#shares, failures);
    if (host === undefined) return undefined;
    const coming = { service, host, need };
    this.#coming.add(coming);
    return coming;
  }

  /** It was made and is listed, or it could not be made. */
  settle(coming: Coming, outcome: 'made' | 'failed'): void {
    this.#coming.delete(coming);
    const key = keyOf(coming);
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    if (outcome === 'made') this.#failures.delete(key);
    else this.#failures.set(key, { count, at: this.#clock.monotonic() });
  }

  #placesOf(claimed: readonly ContainerSpec[]): Coming[] {
    const places: Coming[] = [];
    for (const { hostConfig } of claimed) {
      const need = readReservation(hostConfig);
      const host = chooseHost(this.#rooms('', places), need, this.#shares);
      if (host !== undefined) places.push({ service: '', host, need });
    }
    return places;
  }

  #rooms(service: string, claimed: readonly Coming[] = []): HostRoom[] {
    return this.#views()
      .filter(({ known }) => known)
      .map(({ host, instances, size: { machine, promised } }) => {
        const up = this.#upOn(instances);
        const coming = [...this.#coming, ...claimed].filter(
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

const keyOf = ({ service, host }: Pick<Coming, 'service' | 'host'>): string => `${service} ${host}`;

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
import { takesRoom } from '../targets/docker/instance.ts';
import type { HostObservation } from '../targets/docker/observation.ts';
import { readReservation } from '../targets/docker/reservation.ts';
import type { ContainerSpec } from '../targets/docker/spec.ts';
import { RetryBook } from './retry-book.ts';

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

export class Placement {
  readonly #views: () => readonly HostObservation[];
  readonly #shares: RoomShares;
  readonly #clock: Clock;
  readonly #coming = new Set<Coming>();
  /** By service and host: where making one has failed, another host is tried first. */
  readonly #failures = new RetryBook();

  constructor(parts: { views: () => readonly HostObservation[]; shares: RoomShares; clock: Clock }) {
    this.#views = parts.views;
    this.#shares = parts.shares;
    this.#clock = parts.clock;
  }

  room(service: string, spec: ContainerSpec): Room {
    const need = readReservation(spec.hostConfig);
    const rooms = this.#rooms(service);
    return {
      fits: countFits(rooms, need, this.#shares),
      why: describeNoRoom(rooms, need, this.#shares),
    };
  }

  /** Takes a place for one more; undefined when no host answers or none has room. It is held until `settle`. */
  take(service: string, spec: ContainerSpec): Coming | undefined {
    const need = readReservation(spec.hostConfig);
    const now = this.#clock.monotonic();
    const avoided = (host: string) => this.#failures.waits(keyOf({ service, host }), now) !== undefined;
    const host = chooseHost(this.#rooms(service), need, this.#shares, avoided);
    if (host === undefined) return undefined;
    const coming = { service, host, need };
    this.#coming.add(coming);
    return coming;
  }

  /** It was made and is listed, or it could not be made. */
  settle(coming: Coming, failure?: string): void {
    this.#coming.delete(coming);
    if (failure === undefined) this.#failures.succeeded(keyOf(coming));
    else this.#failures.failed(keyOf(coming), failure, this.#clock.monotonic());
  }

  #rooms(service: string): HostRoom[] {
    return this.#views()
      .filter(({ known }) => known)
      .map(({ host, instances, size: { machine, promised } }) => {
        const up = instances.filter(({ state }) => takesRoom(state));
        const ids = new Set(up.map(({ id }) => id));
        const coming = [...this.#coming].filter(
          (each) => each.host === host && (each.id === undefined || !ids.has(each.id)),
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
          ofService: [...up, ...coming].filter((each) => each.service === service).length,
          instances: up.length + coming.length,
        };
      });
  }
}

const keyOf = ({ service, host }: Pick<Coming, 'service' | 'host'>): string => `${service} ${host}`;

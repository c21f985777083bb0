// In which order services are looked at, and so who gets the last room on the hosts: the higher priority of the policy,
// then who has waited for room the longest, then as they are known. Nobody is stopped to make room for another.
export interface Ranked {
  readonly service: string;
  readonly priority: number;
}

export class WaitingList {
  /** In order: the first has waited the longest. */
  readonly #waiting = new Set<string>();

  order<T extends Ranked>(services: readonly T[]): T[] {
    const places = new Map([...this.#waiting].map((service, place) => [service, place]));
    const placeOf = ({ service }: T) => places.get(service) ?? places.size;
    return services.toSorted((a, b) => b.priority - a.priority || placeOf(a) - placeOf(b));
  }

  /** Whether a service waits for room, as of its last plan. */
  note(service: string, waits: boolean): void {
    if (waits) this.#waiting.add(service);
    else this.#waiting.delete(service);
  }
}

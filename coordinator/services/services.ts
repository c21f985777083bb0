// All services that Berth knows, in memory. Changes are told to listeners (the act loop wakes) and noted for the saver.
import { isDeepStrictEqual } from 'node:util';
import { newService, type ServiceState } from './service-state.ts';

export class Services {
  readonly #states = new Map<string, ServiceState>();
  readonly #listeners = new Set<(service: string) => void>();
  readonly #unsaved = new Set<string>();
  #membership = 0;

  /** Another one after each change of which services there are. */
  get membership(): number {
    return this.#membership;
  }

  list(): ServiceState[] {
    return [...this.#states.values()];
  }

  get(service: string): ServiceState | undefined {
    return this.#states.get(service);
  }

  /** Takes in what an earlier run has saved; what this run knows already stays. */
  restore(states: readonly ServiceState[]): void {
    for (const state of states) if (!this.#states.has(state.service)) this.#states.set(state.service, state);
    this.#membership += 1;
    for (const state of states) this.#tell(state.service);
  }

  /** Changes a service, and makes it known if it was not. Returns the new state. */
  change(service: string, what: Partial<Omit<ServiceState, 'service'>>): ServiceState {
    const before = this.#states.get(service) ?? newService(service);
    // Whoever sets the number without an alert is not acting for the last one.
    const changed = {
      ...(what.wantedBy === undefined ? {} : { wantedAlert: null, wantedFirings: [] }),
      ...what,
    };
    const after = { ...before, ...changed };
    // Field by field: a spec is some kilobytes, and is hardly ever among what is changed.
    const isSame = Object.entries(changed).every(([field, value]) =>
      isDeepStrictEqual(value, before[field as keyof typeof changed]),
    );
    if (isSame && this.#states.has(service)) return before;
    if (!this.#states.has(service)) this.#membership += 1;
    this.#states.set(service, after);
    this.#unsaved.add(service);
    this.#tell(service);
    return after;
  }

  /** Counts a container among the spares of a service, or not any more. */
  setSpare(service: string, id: string, spare: boolean): void {
    const before = this.#states.get(service)?.spares ?? [];
    if (before.includes(id) === spare) return;
    this.change(service, { spares: spare ? [...before, id] : before.filter((each) => each !== id) });
  }

  forget(service: string): void {
    if (!this.#states.delete(service)) return;
    this.#membership += 1;
    this.#unsaved.add(service);
    this.#tell(service);
  }

  onChange(listener: (service: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What has changed since the last call; a service without a state was forgotten. */
  takeUnsaved(): { service: string; state: ServiceState | undefined }[] {
    const taken = [...this.#unsaved].map((service) => ({ service, state: this.#states.get(service) }));
    this.#unsaved.clear();
    return taken;
  }

  /** Back among the unsaved: the database did not take them. */
  putBack(services: readonly string[]): void {
    for (const service of services) this.#unsaved.add(service);
  }

  #tell(service: string): void {
    for (const listener of this.#listeners) listener(service);
  }
}

// All services that Berth knows, in memory. Changes are told to listeners (the act loop wakes) and noted for the saver.
import { newService, type ServiceState } from './service-state.ts';

export class Services {
  readonly #states = new Map<string, ServiceState>();
  readonly #listeners = new Set<(service: string) => void>();
  readonly #unsaved = new Set<string>();

  list(): ServiceState[] {
    return [...this.#states.values()];
  }

  get(service: string): ServiceState | undefined {
    return this.#states.get(service);
  }

  /** Takes in what an earlier run has saved; what this run knows already stays. */
  restore(states: readonly ServiceState[]): void {
    for (const state of states) if (!this.#states.has(state.service)) this.#states.set(state.service, state);
    for (const state of states) this.#tell(state.service);
  }

  /** Changes a service, and makes it known if it was not. Returns the new state. */
  change(service: string, what: Partial<Omit<ServiceState, 'service'>>): ServiceState {
    const before = this.#states.get(service) ?? newService(service);
    // Whoever sets the number without an alert is not acting for the last one.
    const alert = what.wantedBy === undefined ? {} : { wantedAlert: null };
    const after = { ...before, ...alert, ...what };
    if (JSON.stringify(before) === JSON.stringify(after) && this.#states.has(service)) return before;
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

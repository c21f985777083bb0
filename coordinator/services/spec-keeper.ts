// Keeps, for each service, the spec by which more of its instances can be made. It is read from an instance that serves,
// so that it is one that works, and stored, so that a service whose containers were all deleted can come back.
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import { isNotFound } from '../targets/docker/docker-error.ts';
import { readSpec } from '../targets/docker/spec.ts';
import type { Fleet } from './fleet.ts';
import type { ServiceInstance } from './service-instance.ts';
import type { Services } from './services.ts';
import { unknownPart } from './unknown-hosts.ts';

/** An instance is read again after this long: its limits may have been changed with `docker update`. */
const againMs = 60_000;
const everyMs = 500;

export interface SpecKeeperParts {
  services: Services;
  fleet: Fleet;
  instances: () => ReadonlyMap<string, readonly ServiceInstance[]>;
  log: Log;
  clock: Clock;
}

export class SpecKeeper {
  readonly #parts: SpecKeeperParts;
  readonly #read = new Map<string, { id: string; at: number }>();

  constructor(parts: SpecKeeperParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, instances, fleet, services } = this.#parts;
    while (!signal.aborted) {
      for (const [service, present] of instances()) {
        const away = unknownPart({}, fleet.views()).hosts;
        const isOriginal = (services.get(service)?.original ?? null) !== null;
        const model = chooseModel(
          present.filter(({ host, clone }) => !away.has(host) && !(clone && isOriginal)),
        );
        if (model !== undefined && this.#isDue(service, model)) await this.#readSpec(service, model, signal);
      }
      await clock.sleep(everyMs, signal);
    }
  }

  #isDue(service: string, { id }: ServiceInstance): boolean {
    const known = this.#read.get(service);
    return known?.id !== id || this.#parts.clock.monotonic() - known.at >= againMs;
  }

  async #readSpec(
    service: string,
    { id, host, name, clone }: ServiceInstance,
    signal: AbortSignal,
  ): Promise<void> {
    const { fleet, services, log, clock } = this.#parts;
    this.#read.set(service, { id, at: clock.monotonic() });
    const client = fleet.client(host);
    if (client === undefined) return;
    try {
      const inspected = await client.inspect(id, signal);
      const image = await client.image(inspected.Image, signal);
      const original = clone ? null : { host };
      services.change(service, { spec: readSpec(inspected, image), original });
    } catch (error) {
      if (signal.aborted || isNotFound(error)) return;
      log.warn(
        { event: 'spec.unread', service, container: id, error: describeError(error) },
        `the spec of ${name} cannot be read`,
      );
    }
  }
}

/**
 * The instance to read: one that serves and was made by people, the oldest; else the oldest clone that serves. A clone
 * lacks what belongs to its original alone, so it is not read once an original was.
 */
function chooseModel(instances: readonly ServiceInstance[]): ServiceInstance | undefined {
  return instances
    .filter(({ serving, state }) => serving && state === 'running')
    .toSorted(
      (a, b) =>
        Number(a.clone) - Number(b.clone) ||
        (a.createdAt ?? 0) - (b.createdAt ?? 0) ||
        (a.id < b.id ? -1 : 1),
    )[0];
}

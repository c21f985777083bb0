// The instances that are being made: on which hosts, and where making one fails for now. A host that lacks an image or
// has a full disk is left alone for a while, by a back-off for each service and host, and the others are used.
//
//   begin ──► failed ──► back-off of that host
//        └──► made ──► (it serves) ──► succeeded     what ends before it has served, vanishes, or does not come to
//                 └──► (it did not) ──► back-off       serve would be made again without end: it counts as a failure
import type { Amounts } from '../decide/capacity.ts';
import type { HostObservation } from '../targets/docker/observation.ts';
import { RetryBook } from './retry-book.ts';
import { isSpare, isUnhealthy, type ServiceInstance, unhealthyAfterMs } from './service-instance.ts';

/** The two ways in which a creation has ended since a decision last asked. */
export type Creation = 'failed' | 'succeeded';

/** One that is being made, or is made and not listed yet. */
export interface Coming {
  readonly service: string;
  readonly host: string;
  readonly spare: boolean;
  /** The original is made again. */
  readonly original: boolean;
  /** The firing of the alert that asked for a clone of one container. */
  readonly clonedFor: string | undefined;
  /** What it takes of its host's room. */
  readonly need: Amounts;
  /** Monotonic. */
  readonly begunAt: number;
  /** Once the engine has made it. */
  id?: string;
}

export class Creations {
  readonly #waits = new RetryBook();
  readonly #coming = new Set<Coming>();
  readonly #ended = new Map<string, Creation>();
  /** Containers that were made and have not proved to work yet. */
  readonly #unproven = new Map<string, Pick<Coming, 'service' | 'host' | 'begunAt'>>();

  begin(coming: Coming): void {
    this.#coming.add(coming);
  }

  /** The listing shows it, or it has failed. */
  end(coming: Coming): void {
    this.#coming.delete(coming);
  }

  made({ service, host, begunAt }: Coming, container: string): void {
    this.#unproven.set(container, { service, host, begunAt });
    this.#ended.set(service, 'succeeded');
  }

  failed({ service, host, begunAt }: Coming, why: string, now: number): void {
    this.#waits.failed(keyOf(service, host), why, now, begunAt);
    this.#ended.set(service, 'failed');
  }

  /** How creating went since the last call; undefined when nothing was created. */
  take(service: string): Creation | undefined {
    const creation = this.#ended.get(service);
    this.#ended.delete(service);
    return creation;
  }

  prove(instance: ServiceInstance, now: number): void {
    const made = this.#unproven.get(instance.id);
    if (made === undefined) return;
    const key = keyOf(made.service, made.host);
    if (instance.serving || (isSpare(instance) && instance.registered)) this.#waits.succeeded(key);
    else if (instance.state === 'exited' || instance.state === 'dead')
      this.#waits.failed(key, `${instance.name} ended before it served`, now, made.begunAt);
    else if (isUnhealthy(instance, unhealthyAfterMs))
      this.#waits.failed(key, `${instance.name} has not served since it was made`, now, made.begunAt);
    else return;
    this.#unproven.delete(instance.id);
  }

  /** It was taken away on purpose, and has nothing to prove any more. */
  dismiss(container: string): void {
    this.#unproven.delete(container);
  }

  /** What vanishes before it has served tells as much as what ends: another one is not made in the same moment. */
  forget(isGone: (container: string) => boolean, now: number): void {
    for (const [id, { service, host, begunAt }] of this.#unproven) {
      if (!isGone(id)) continue;
      this.#waits.failed(keyOf(service, host), 'it was gone before it served', now, begunAt);
      this.#unproven.delete(id);
    }
  }

  counts(service: string): {
    active: number;
    spare: number;
    original: boolean;
    clonesFor: readonly string[];
  } {
    const coming = [...this.#coming].filter((each) => each.service === service);
    const spare = coming.filter((each) => each.spare).length;
    const clonesFor = coming.flatMap(({ clonedFor }) => clonedFor ?? []);
    const original = coming.some((each) => each.original);
    return { active: coming.length - spare, spare, original, clonesFor };
  }

  /** All that are being made. */
  coming(): readonly Coming[] {
    return [...this.#coming];
  }

  /** Hosts that answer, and on which making one of the service has just failed: with the reason and when it is tried again. */
  waiting(service: string, views: readonly HostObservation[], now: number): Map<string, string> {
    const reasons = new Map<string, string>();
    for (const { host, known } of views) {
      const waits = known ? this.#waits.waits(keyOf(service, host), now) : undefined;
      if (waits === undefined) continue;
      reasons.set(host, views.length === 1 ? describeWait(waits) : `on ${host} ${describeWait(waits)}`);
    }
    return reasons;
  }
}

const keyOf = (service: string, host: string): string => `${host} ${service}`;

export const describeWait = ({ reason, forMs }: { reason: string; forMs: number }): string =>
  `the last try failed (${reason}); the next one is in ${Math.ceil(forMs / 1000)} s`;

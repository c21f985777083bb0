// What is known of instances on Docker hosts that do not answer. Of a host that has answered since the coordinator
// started it is the last listing; of one that has not, how many an earlier run saw there. Pure.
import type { HostObservation } from '../targets/docker/observation.ts';
import { isActive, type ServiceInstance } from './service-instance.ts';

export interface UnknownPart {
  /** Hosts that do not answer. */
  hosts: ReadonlySet<string>;
  /** Instances on those of them that were never listed by this run, as an earlier one has left word. */
  unlisted: number;
}

const neverListed = (views: readonly HostObservation[]): readonly HostObservation[] =>
  views.filter((view) => !view.known && view.at === undefined);

/**
 * How many of a service's instances each host has, as far as it was ever heard; hosts without any are left out. The same
 * object when nothing has changed.
 */
export function activeByHost(
  before: Readonly<Record<string, number>>,
  views: readonly HostObservation[],
  instances: readonly ServiceInstance[],
): Readonly<Record<string, number>> {
  const unlisted = new Set(neverListed(views).map(({ host }) => host));
  const counts = views.map(({ host }): [string, number] => [
    host,
    unlisted.has(host)
      ? (before[host] ?? 0)
      : instances.filter((each) => each.host === host && isActive(each) && !each.byOperator).length,
  ]);
  const present = counts.filter(([, count]) => count > 0);
  const isSame =
    present.length === Object.keys(before).length && present.every(([host, count]) => before[host] === count);
  return isSame ? before : Object.fromEntries(present);
}

export function unknownPart(
  activeOn: Readonly<Record<string, number>>,
  views: readonly HostObservation[],
): UnknownPart {
  const hosts = views.flatMap(({ host, known }) => (known ? [] : [host]));
  const unlisted = neverListed(views).reduce((sum, { host }) => sum + (activeOn[host] ?? 0), 0);
  return { hosts: new Set(hosts), unlisted };
}

/**
 * Whether the size of a service is known well enough to decide about it: some host answers, and each that does not was
 * listed before, or had none of the service's instances.
 */
export function whyUnknown(
  state: { wanted: number | null; activeOn: Readonly<Record<string, number>> } | undefined,
  views: readonly HostObservation[],
): string | undefined {
  const unlisted = neverListed(views);
  const open =
    views.every(({ known }) => !known) || state === undefined || state.wanted === null
      ? views.filter(({ known }) => !known)
      : unlisted.filter(({ host }) => (state.activeOn[host] ?? 0) > 0);
  if (open.length === 0) return undefined;
  return `Docker host ${open.map(({ host }) => host).join(', ')} does not answer`;
}

/** `count`: instances there that run or wait, as last known; `tooMany`: how many of them are not wanted any more. */
export function formatUnknown({ hosts }: UnknownPart, count: number, tooMany: number): string {
  const names = [...hosts].join(', ');
  const held = tooMany > 0 ? `; ${tooMany} too many, which is left until it does` : '';
  return `Docker host ${names} does not answer: ${count} of the instances are there as last known${held}`;
}

// Which container an alert means. Pure.
//
// An id is unique. A name is one of its host's: where several hosts have it, the alert must say which host, by a name that
// Berth knows it by. And a name is given again once its container is gone, so a container that is younger than the alert
// is not the one.

/** A container as an alert names it; the id counts where it is given. */
export interface Named {
  id?: string | undefined;
  name?: string | undefined;
  /** Undefined: on whichever host it is. */
  host?: string | undefined;
}

interface Known {
  id: string;
  name: string;
  host: string;
  createdAt: number;
}

export type Meant<T> =
  | { kind: 'one'; one: T }
  | { kind: 'none' }
  /** The same name on several hosts. */
  | { kind: 'several'; all: readonly T[] };

/** `before`: wall milliseconds. */
export function isNamed({ id, name, host }: Named, one: Known, before: number): boolean {
  if (id !== undefined) return one.id.startsWith(id);
  return name === one.name && one.createdAt <= before && (host === undefined || host === one.host);
}

/** A host that Berth does not know by this name is as good as none. */
export function withKnownHost({ id, name, host }: Named, hosts: ReadonlySet<string>): Named {
  return { id, name, host: host !== undefined && hosts.has(host) ? host : undefined };
}

export function chooseNamed<T extends Known>(
  container: Named,
  instances: readonly T[],
  hosts: ReadonlySet<string>,
  before = Number.POSITIVE_INFINITY,
): Meant<T> {
  const named = withKnownHost(container, hosts);
  const all = instances.filter((instance) => isNamed(named, instance, before));
  const [one] = all;
  if (one === undefined) return { kind: 'none' };
  return all.some(({ host }) => host !== one.host) ? { kind: 'several', all } : { kind: 'one', one };
}

/** The service of the container, also when several have its name and all are of the same. */
export function serviceOfNamed(meant: Meant<{ service: string | undefined }>): string | undefined {
  if (meant.kind === 'one') return meant.one.service;
  if (meant.kind === 'none') return undefined;
  const services = new Set(meant.all.map(({ service }) => service));
  return services.size === 1 ? [...services][0] : undefined;
}

/** Why none of several is chosen. */
export function describeSeveral(container: Named, all: readonly { host: string }[]): string {
  const hosts = [...new Set(all.map(({ host }) => host))].toSorted();
  const given =
    container.host === undefined ? 'the alert names no host' : `host ${container.host} is not known`;
  return `container ${container.name} is on ${hosts.join(' and ')}, and ${given}: send its id, or one of these as its host`;
}

// Alerts that ask for one container by name: clone this very one, or take this very one away (REQUIREMENTS 58). Pure, and
// asked anew each round: which clones an alert has led to is written on them (`berth.cloned-for`), so that neither a
// coordinator that died nor one that began in the meantime makes one too many.
import type { ServiceInstance } from './service-instance.ts';

/** A container as an alert names it; the id counts where it is given. */
export interface Named {
  id?: string | undefined;
  name?: string | undefined;
}

/** One that exists now, to be read and cloned. */
export interface Model {
  id: string;
  name: string;
  host: string;
}

export interface CloneWish {
  /** The firing of the alert, as the label of its clones has it. */
  firing: string;
  alert: string;
  count: number;
  model: Model;
  /** What the names of the clones are to begin with. */
  naming?: string | undefined;
}

export interface NodeWishes {
  clones: readonly CloneWish[];
  /** Go first when one has to, and do not come back. `before`: wall milliseconds; what was made later is another one. */
  unwanted: readonly { container: Named; before: number; alert: string }[];
}

export const noNodeWishes: NodeWishes = { clones: [], unwanted: [] };

/** A name is given again once its container is gone, so a container that is younger than the alert is not the one. */
export function isNamed(
  { id, name }: Named,
  one: { id: string; name: string; createdAt: number },
  before: number,
): boolean {
  if (id !== undefined) return one.id.startsWith(id);
  return name === one.name && one.createdAt <= before;
}

/** The clones that are still missing, of `most` that may be made. */
export function missingClones(
  wishes: readonly CloneWish[],
  instances: readonly ServiceInstance[],
  coming: readonly string[],
  most: number,
): CloneWish[] {
  const missing = wishes.flatMap((wish) => {
    const made = instances.filter(({ clonedFor }) => clonedFor === wish.firing).length;
    const count = wish.count - made - coming.filter((firing) => firing === wish.firing).length;
    return Array.from({ length: Math.max(0, count) }, () => wish);
  });
  return missing.slice(0, Math.max(0, most));
}

/** The alert that asks to take this instance away. */
export function unwantedBy({ unwanted }: NodeWishes, instance: ServiceInstance): string | undefined {
  const { id, name, createdAt = 0 } = instance;
  return unwanted.find(({ container, before }) => isNamed(container, { id, name, createdAt }, before))?.alert;
}

/** The alert that this instance goes for: one that names it, else the one behind the number. */
export function causeOf(
  { nodes = noNodeWishes, alert }: { nodes?: NodeWishes; alert?: string | undefined },
  instance: ServiceInstance,
): { alert?: string } {
  const cause = unwantedBy(nodes, instance) ?? alert;
  return cause === undefined ? {} : { alert: cause };
}

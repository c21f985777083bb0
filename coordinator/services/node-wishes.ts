// Alerts that ask for one container by name: clone this very one, or take this very one away (REQUIREMENTS 58). Pure, and
// asked anew each round: which clones an alert has led to is written on them (`berth.cloned-for`), so that neither a
// coordinator that died nor one that began in the meantime makes one too many.
import { isNamed, type Named } from './named-container.ts';
import type { ServiceInstance } from './service-instance.ts';

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
  const { id, name, host, createdAt = 0 } = instance;
  const one = { id, name, host, createdAt };
  return unwanted.find(({ container, before }) => isNamed(container, one, before))?.alert;
}

/** The alert that this instance goes for: one that names it, else the one behind the number. */
export function causeOf(
  { nodes = noNodeWishes, alert }: { nodes?: NodeWishes; alert?: string | undefined },
  instance: ServiceInstance,
): { alert?: string } {
  const cause = unwantedBy(nodes, instance) ?? alert;
  return cause === undefined ? {} : { alert: cause };
}

// The container by which a service was begun, deleted by somebody: it is made again as it was, with its own name, ports and
// labels, not as one more clone. Pure. There is one spec for each service, so this is about the one that it was read from;
// where others that people made are still there, a clone takes the place.
//
// No two are made, also when the coordinator dies in between: the engine gives the name once. One that was not finished
// is deleted first (plan-spares.ts), and made again then.
import type { ServiceInstance } from './service-instance.ts';
import type { ServiceState } from './service-state.ts';

export interface Original {
  name: string;
  host: string;
}

export function originalOf({ spec, original }: ServiceState): Original | undefined {
  return spec === null || original === null ? undefined : { name: spec.name, ...original };
}

/** `make`: it is to be made; `wait`, with why: it will be, and no clone is made in its place meanwhile. */
export type OriginalPlan = { kind: 'make' } | { kind: 'wait'; why: string } | { kind: 'none' };

/** Deleting takes a moment. One that hangs in it is not waited for. */
const removingMs = 10_000;

export function planOriginal(
  original: Original | undefined,
  /** All of the service, also those that an operator has taken away, and those on hosts that do not answer. */
  instances: readonly ServiceInstance[],
  { isComing, unknownHosts }: { isComing: boolean; unknownHosts: ReadonlySet<string> },
): OriginalPlan {
  if (original === undefined || isComing || unknownHosts.has(original.host)) return { kind: 'none' };
  const { name } = original;
  const byPeople = instances.filter(({ clone }) => !clone);
  const rest = byPeople.filter((one) => !(one.name === name && (isOnItsWayOut(one) || isUnfinished(one))));
  if (rest.length > 0 || instances.some((one) => one.clone && one.name === name)) return { kind: 'none' };
  if (byPeople.some(isUnfinished)) return { kind: 'wait', why: `${name} was not finished` };
  return byPeople.length > 0 ? { kind: 'wait', why: `${name} is being deleted` } : { kind: 'make' };
}

const isOnItsWayOut = ({ state, notServingMs }: ServiceInstance): boolean =>
  state === 'removing' && notServingMs < removingMs;

const isUnfinished = ({ state, remade = false }: ServiceInstance): boolean => remade && state === 'created';

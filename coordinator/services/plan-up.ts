// The steps by which a service gets more instances: what is there already first, then new ones (plan-instances.ts). Pure.
import type { InstanceStep } from './instance-step.ts';
import { missingClones, noNodeWishes, unwantedBy } from './node-wishes.ts';
import { type Create, planCreations } from './plan-creations.ts';
import type { ServicePlanning } from './plan-instances.ts';
import { planOriginal } from './plan-original.ts';
import { holdBack, neverFailed } from './plan-retries.ts';
import {
  describeIllness,
  isHalfMade,
  isLeft,
  isParked,
  isSickSpare,
  isSpare,
  type ServiceInstance,
} from './service-instance.ts';

/** `patient`: the sick one, where only a replacement for it is missing. */
export function planUp(
  planning: ServicePlanning,
  instances: readonly ServiceInstance[],
  missing: number,
  patient: ServiceInstance | undefined,
): InstanceStep[] {
  const { busy, creatable, creating, startWait, wanted, naming, nodes = noNodeWishes } = planning;
  const { retryWait = neverFailed } = planning;
  const finished = instances.filter((instance) => !isHalfMade(instance));
  // An alert that names a container wants another of the very same, not whatever there is.
  const clones = missingClones(nodes.clones, finished, creating.clonesFor ?? [], missing);
  const cause = planning.alert ?? planning.availabilityAlert;
  const by = cause === undefined ? {} : { alert: cause };
  const idle = instances.filter(
    (instance) => !busy.has(instance.id) && unwantedBy(nodes, instance) === undefined,
  );
  const spares = idle.filter(
    (instance) => isSpare(instance) && !isParked(instance) && !isSickSpare(instance),
  );
  const parked = idle.filter(isParked);
  const left = idle.filter((instance) => isLeft(instance) && !isHalfMade(instance));
  const stopped = left.filter((instance) => startWait(instance) === undefined);
  const crashed = left.filter((instance) => startWait(instance)?.crashed === true);
  const reason =
    patient === undefined ? `${wanted} wanted` : `${patient.name} is replaced: ${describeIllness(patient)}`;
  const on = ({ id, name, outOfMemory }: ServiceInstance) => ({
    id,
    name,
    reason: outOfMemory ? `it ran out of memory; ${reason}` : reason,
    ...by,
  });
  const back = [
    ...spares.map((instance) => ({ kind: 'undrain' as const, ...on(instance) })),
    ...parked.map((instance) => ({ kind: 'unpark' as const, ...on(instance) })),
  ];
  const stuck = back.flatMap((step) => {
    const why = retryWait(step.kind, step.id);
    return why === undefined ? [] : [holdBack(step, why)];
  });
  const reused: InstanceStep[] = [
    ...back.filter(({ kind, id }) => retryWait(kind, id) === undefined),
    ...stopped.map((instance): InstanceStep => ({ kind: 'start', ...on(instance) })),
  ].slice(0, missing - clones.length);
  // One that is just being parked can be had back in a moment, sooner than a new one.
  const parking = instances.filter(({ id }) => busy.get(id) === 'park').length;
  const uncovered = missing - reused.length - clones.length - parking;
  const waiting = crashed.slice(0, Math.max(0, uncovered)).map((instance): InstanceStep => {
    const why = startWait(instance)?.why ?? '';
    const how = instance.outOfMemory ? 'it ran out of memory, and ' : '';
    return { kind: 'hold', reason: `${instance.name} is wanted, but ${how}${why}` };
  });
  reused.push(...waiting, ...stuck);
  const toCreate = Math.max(0, uncovered - waiting.length) + clones.length;
  if (toCreate <= 0) return reused;
  const named = naming === undefined ? {} : { naming };
  const alike = clones.map(({ model, firing, alert, naming: own = naming }): Create => {
    const as = own === undefined ? {} : { naming: own };
    const why = `a clone of ${model.name} is asked for`;
    return { kind: 'create', spare: false, reason: why, alert, model: { ...model, firing }, ...as };
  });
  const again = planOriginal(planning.original, planning.instances, {
    isComing: creating.original === true,
    unknownHosts: planning.unknown.hosts,
  });
  const plain = toCreate - clones.length;
  if (again.kind === 'wait' && plain > 0)
    reused.push({ kind: 'hold', reason: `1 more wanted, but ${again.why}` });
  const further = Array.from(
    { length: again.kind === 'wait' ? Math.max(0, plain - 1) : plain },
    (_, index): Create =>
      again.kind === 'make' && index === 0
        ? { kind: 'create', spare: false, reason: `it was deleted; ${reason}`, ...by, original: true }
        : { kind: 'create', spare: false, reason, ...by, ...named },
  );
  return [...reused, ...planCreations([...alike, ...further], creatable, 'more wanted')];
}

// What becomes of the instances that are out of traffic: those that drain are parked or stopped, the warm pool is filled
// and trimmed, and clones that have stopped are deleted once they are not wanted. Pure.
import type { InstanceStep } from './instance-step.ts';
import { causeOf } from './node-wishes.ts';
import { type Create, planCreations } from './plan-creations.ts';
import type { ServicePlanning } from './plan-instances.ts';
import {
  isActive,
  isHalfMade,
  isLeft,
  isParked,
  isSickSpare,
  isSpare,
  type ServiceInstance,
} from './service-instance.ts';

/** A spare that drains is given this long to be seen in a slot. */
const slotWaitMs = 3000;

/** Spares beyond the warm pool are stopped once drained; those within it are parked. */
export function planSpares(
  planning: ServicePlanning,
  instances: readonly ServiceInstance[],
  returning: number,
  awaySpares: number,
): InstanceStep[] {
  const { busy, warm, creating, creatable, drainDeadlineMs } = planning;
  const spares = instances.filter((instance) => isSpare(instance) && !busy.has(instance.id));
  const parked = spares.filter(isParked);
  const sick = spares.filter(isSickSpare);
  const fit = spares.filter((instance) => !isParked(instance) && !isSickSpare(instance));
  const running = [...fit.slice(Math.max(0, returning)), ...sick];
  const steps: InstanceStep[] = [];
  const parking = instances.filter(({ id }) => busy.get(id) === 'park').length;
  let room = warm - parking - Math.max(0, parked.length - Math.max(0, returning - fit.length));
  for (const instance of running) {
    // An agent says that it drains before HAProxy has heard of it.
    const idle = instance.sessions === 0 && !instance.serving && instance.phase === 'draining';
    const late = (instance.drainAgeMs ?? 0) >= drainDeadlineMs;
    const on = { id: instance.id, name: instance.name };
    if (room > 0 && !isSickSpare(instance)) {
      room -= 1;
      // Without a slot it would have to claim one before it could serve; but one that was told before it had one gets none.
      const isSlotted = instance.registered || (instance.drainAgeMs ?? 0) >= slotWaitMs;
      if ((idle && isSlotted) || late) steps.push({ kind: 'park', ...on, reason: `${warm} kept warm` });
    } else if (idle || late) {
      steps.push({
        kind: 'stop',
        ...on,
        remove: instance.clone,
        reason: idle ? 'drained' : `not drained after ${Math.round(drainDeadlineMs / 1000)} s`,
        ...causeOf(planning, instance),
      });
    }
  }
  for (const instance of room < 0 ? parked.slice(room) : []) {
    steps.push({
      kind: 'stop',
      id: instance.id,
      name: instance.name,
      remove: instance.clone,
      reason: `${warm} kept warm`,
    });
  }
  const lacking = returning > 0 ? 0 : room - creating.spare - awaySpares;
  const made = Array.from(
    { length: Math.max(0, lacking) },
    (): Create => ({ kind: 'create', spare: true, reason: `${warm} kept warm` }),
  );
  steps.push(...planCreations(made, creatable, 'more to be kept warm'));
  return steps;
}

/** Clones that have stopped and are not wanted are deleted; other people's containers stay. */
export function planStopped(
  planning: ServicePlanning,
  instances: readonly ServiceInstance[],
  wanted: number,
): InstanceStep[] {
  const enough = instances.filter(isActive).length >= wanted;
  return instances
    .filter((instance) => isLeft(instance) && !planning.busy.has(instance.id))
    .filter((instance) => (instance.clone && enough) || isHalfMade(instance))
    .map((instance) => ({
      kind: 'remove',
      id: instance.id,
      name: instance.name,
      reason: isHalfMade(instance) ? 'it was not finished' : 'it has stopped and is not wanted',
      ...causeOf(planning, instance),
    }));
}

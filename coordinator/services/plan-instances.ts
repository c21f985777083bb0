// From how many instances a service should have, and the instances that there are, to the steps that are missing. Pure.
// Nothing is remembered between rounds: what an earlier round began shows in the instances themselves (an instance that
// is drained says so, a paused one is paused), so a coordinator that died between any two steps goes on where it was.
//
//   too few:   undrain a spare ► unpark a parked one ► start a stopped one ► create
//   too many:  drain the right one ► (its sessions end, or the deadline) ► park it, or stop and remove it
//
// An instance that is wanted again while it drains is put back: each round asks anew.
// Unhealthy instances do not count, so that a replacement comes first; the sick one is then one too many.
import type { InstanceStep, InstanceStepKind } from './instance-step.ts';
import { type NodeWishes, noNodeWishes, unwantedBy } from './node-wishes.ts';
import { isHalfMade, isLeft, planUp } from './plan-up.ts';
import { isActive, isParked, isSpare, isUnhealthy, type ServiceInstance } from './service-instance.ts';

export interface StartWait {
  why: string;
  /** It started and ended. A new one would do the same, so none is made in its place while it waits. */
  crashed: boolean;
}

export interface ServicePlanning {
  instances: readonly ServiceInstance[];
  /** How many should serve. */
  wanted: number;
  /** How many spares should be kept paused beside them. */
  warm: number;
  /** Fewest that must serve while others are drained or stopped on purpose. */
  minAvailable: number;
  /** Instances that a step is being carried out on, and which; they are left alone. */
  busy: ReadonlyMap<string, InstanceStepKind>;
  /** Instances that are being created. */
  creating: { active: number; spare: number; clonesFor?: readonly string[] };
  /** False when a clone cannot be made now (no spec, back-off after a failure, no capacity). */
  creatable: { possible: true } | { possible: false; why: string };
  /** Why a stopped instance is not started again yet; undefined when it may be. */
  startWait: (instance: ServiceInstance) => StartWait | undefined;
  /** A running instance may be without traffic for this long before it counts as unhealthy. */
  unhealthyAfterMs: number;
  /** A drain is not waited for any longer than this. */
  drainDeadlineMs: number;
  /** Best victims first; of `decide/victims.ts`. */
  orderVictims: (instances: readonly ServiceInstance[]) => readonly ServiceInstance[];
  /** What alerts ask of single containers. */
  nodes?: NodeWishes;
  naming?: string | undefined;
  /** The alert behind `wanted`, and one that asks to look after the service: told with the steps that they lead to. */
  alert?: string | undefined;
  availabilityAlert?: string | undefined;
}

/** A spare that drains is given this long to be seen in a slot. */
const slotWaitMs = 3000;
/** More than this share unhealthy at once is not the instances' fault; replacing them would not help. */
const massFailureShare = 0.5;

export function planInstances(planning: ServicePlanning): InstanceStep[] {
  const { wanted, busy, creating, unhealthyAfterMs } = planning;
  const instances = planning.instances.filter((instance) => !instance.byOperator);
  const active = instances.filter(isActive);
  // Being drained or stopped, which does not show in them yet.
  const leaving = active.filter(({ id }) => isLeaving(busy.get(id)));
  const sick = active.filter(
    (instance) => isUnhealthy(instance, unhealthyAfterMs) && !leaving.includes(instance),
  );
  const massFailure = sick.length > 1 && sick.length > active.length * massFailureShare;
  // One replacement at a time: what makes one sick may make its successor sick as well.
  const replaced = massFailure ? 0 : Math.min(1, sick.length);
  const coming = active.length + creating.active;
  const steps: InstanceStep[] = [];
  if (massFailure) {
    steps.push({
      kind: 'hold',
      reason: `${sick.length} of ${active.length} instances are unhealthy at once: none is replaced`,
    });
  }
  const missing = wanted + replaced - coming - busyReturning(instances, busy);
  if (missing > 0) steps.push(...planUp(planning, instances, missing, replaced > 0 && coming >= wanted));
  // A replacement is one above the wanted number until the sick one is gone, and that goes only when the new one serves.
  const surplus =
    active.length - leaving.length - wanted - (replaced > 0 && !serves(active, wanted) ? replaced : 0);
  if (surplus > 0 && missing <= 0) steps.push(...planDrains(planning, active, surplus));
  steps.push(...planSpares(planning, instances, Math.max(0, missing)));
  steps.push(...planStopped(planning, instances, wanted));
  return steps;
}

const isLeaving = (step: InstanceStepKind | undefined): boolean => step === 'drain' || step === 'stop';

/** True when enough healthy instances serve without the sick ones. */
function serves(active: readonly ServiceInstance[], wanted: number): boolean {
  return active.filter((instance) => instance.serving).length >= wanted;
}

/** Spares and stopped ones that are on their way back already. */
function busyReturning(
  instances: readonly ServiceInstance[],
  busy: ReadonlyMap<string, InstanceStepKind>,
): number {
  const returning: readonly (InstanceStepKind | undefined)[] = ['undrain', 'unpark', 'start'];
  return instances.filter((instance) => !isActive(instance) && returning.includes(busy.get(instance.id)))
    .length;
}

function planDrains(
  planning: ServicePlanning,
  active: readonly ServiceInstance[],
  surplus: number,
): InstanceStep[] {
  const { busy, minAvailable, orderVictims, wanted } = planning;
  const candidates = active.filter((instance) => !instance.protected && !busy.has(instance.id));
  let serving = active.filter((instance) => instance.serving && !busy.has(instance.id)).length;
  const steps: InstanceStep[] = [];
  for (const victim of orderVictims(candidates)) {
    if (steps.length === surplus) break;
    if (victim.serving && serving <= minAvailable) {
      steps.push({
        kind: 'hold',
        reason: `${surplus - steps.length} too many, but only ${serving} serve and ${minAvailable} must`,
      });
      return steps;
    }
    if (victim.serving) serving -= 1;
    // Without traffic there is nothing to drain, and a hung agent could not be asked.
    if (!victim.serving && victim.sessions === 0) {
      steps.push({
        kind: 'stop',
        id: victim.id,
        name: victim.name,
        remove: isRemoved(planning, victim),
        reason: 'it does not serve and is one too many',
        ...causeOf(planning, victim),
      });
      continue;
    }
    steps.push({
      kind: 'drain',
      id: victim.id,
      name: victim.name,
      reason: `${wanted} wanted`,
      ...causeOf(planning, victim),
    });
  }
  if (steps.length < surplus)
    steps.push({ kind: 'hold', reason: `${surplus - steps.length} too many, but the others are protected` });
  return steps;
}

/** Spares beyond the warm pool are stopped once drained; those within it are parked. */
function planSpares(
  planning: ServicePlanning,
  instances: readonly ServiceInstance[],
  returning: number,
): InstanceStep[] {
  const { busy, warm, creating, creatable, drainDeadlineMs } = planning;
  const spares = instances.filter((instance) => isSpare(instance) && !busy.has(instance.id));
  const parked = spares.filter(isParked);
  const running = spares.filter((instance) => !isParked(instance)).slice(Math.max(0, returning));
  const steps: InstanceStep[] = [];
  const parking = instances.filter(({ id }) => busy.get(id) === 'park').length;
  let room =
    warm - parking - Math.max(0, parked.length - Math.max(0, returning - (spares.length - parked.length)));
  for (const instance of running) {
    // An agent says that it drains before HAProxy has heard of it.
    const idle = instance.sessions === 0 && !instance.serving && instance.phase === 'draining';
    const late = (instance.drainAgeMs ?? 0) >= drainDeadlineMs;
    const on = { id: instance.id, name: instance.name };
    if (room > 0) {
      room -= 1;
      // Without a slot it would have to claim one before it could serve; but one that was told before it had one gets none.
      const isSlotted = instance.registered || (instance.drainAgeMs ?? 0) >= slotWaitMs;
      if ((idle && isSlotted) || late) steps.push({ kind: 'park', ...on, reason: `${warm} kept warm` });
    } else if (idle || late) {
      steps.push({
        kind: 'stop',
        ...on,
        remove: isRemoved(planning, instance),
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
  const lacking = returning > 0 ? 0 : room - creating.spare;
  if (lacking > 0 && creatable.possible) {
    steps.push(
      ...Array.from(
        { length: lacking },
        (): InstanceStep => ({ kind: 'create', spare: true, reason: `${warm} kept warm` }),
      ),
    );
  }
  return steps;
}

/** Clones that have stopped and are not wanted are deleted; other people's containers stay. */
function planStopped(
  planning: ServicePlanning,
  instances: readonly ServiceInstance[],
  wanted: number,
): InstanceStep[] {
  const enough = instances.filter(isActive).length >= wanted;
  return instances
    .filter(
      (instance) => isLeft(instance) && isRemoved(planning, instance) && !planning.busy.has(instance.id),
    )
    .filter((instance) => enough || isHalfMade(instance))
    .map((instance) => ({
      kind: 'remove',
      id: instance.id,
      name: instance.name,
      reason: isHalfMade(instance) ? 'it was not finished' : 'it has stopped and is not wanted',
      ...causeOf(planning, instance),
    }));
}

/** What Berth made, and what an alert has named; other people's containers stay. */
function isRemoved({ nodes = noNodeWishes }: ServicePlanning, instance: ServiceInstance): boolean {
  return instance.clone || unwantedBy(nodes, instance) !== undefined;
}

/** The alert that this instance goes for: one that names it, else the one behind the number. */
function causeOf(
  { nodes = noNodeWishes, alert }: ServicePlanning,
  instance: ServiceInstance,
): { alert?: string } {
  const cause = unwantedBy(nodes, instance) ?? alert;
  return cause === undefined ? {} : { alert: cause };
}

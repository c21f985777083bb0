// From how many instances a service should have, and the instances that there are, to the steps that are missing. Pure.
// Nothing is remembered between rounds: what an earlier round began shows in the instances themselves (an instance that
// is drained says so, a paused one is paused), so a coordinator that died between any two steps goes on where it was.
//
//   too few:   undrain a spare ► unpark a parked one ► start a stopped one ► create
//   too many:  drain the right one ► (its sessions end, or the deadline) ► park it, or stop and remove it
//
// An instance that is wanted again while it drains is put back: each round asks anew.
// Unhealthy instances do not count, so that a replacement comes first; the sick one is then one too many.
//
// A Docker host that does not answer is unknown, not empty. Its instances count as they were last known when it is asked
// whether more are missing, so that none is made twice; and not at all when it is asked whether some are too many, so
// that nothing is taken away on the word of a host that may be dead. On them no step is planned.
import type { InstanceStep, InstanceStepKind } from './instance-step.ts';
import { causeOf, type NodeWishes } from './node-wishes.ts';
import type { Creatable } from './plan-creations.ts';
import type { Original } from './plan-original.ts';
import { neverFailed, type RetryWait, withoutWaiting } from './plan-retries.ts';
import { planSpares, planStopped } from './plan-spares.ts';
import { planUp } from './plan-up.ts';
import { describeIllness, isActive, isSpare, isUnhealthy, type ServiceInstance } from './service-instance.ts';
import { formatUnknown, type UnknownPart } from './unknown-hosts.ts';

export interface StartWait {
  why: string;
  /** It started and ended. A new one would do the same, so none is made in its place while it waits. */
  crashed: boolean;
}

export interface ServicePlanning {
  /** Also those on hosts that do not answer, as they were last known. */
  instances: readonly ServiceInstance[];
  unknown: UnknownPart;
  /** How many should serve. */
  wanted: number;
  /** How many spares should be kept paused beside them. */
  warm: number;
  /** Fewest that must serve while others are drained or stopped on purpose. */
  minAvailable: number;
  /** Instances that a step is being carried out on, and which; they are left alone. */
  busy: ReadonlyMap<string, InstanceStepKind>;
  /** Instances that are being created. */
  creating: { active: number; spare: number; original?: boolean; clonesFor?: readonly string[] };
  /** What the stored spec was read from, where people made it. */
  original?: Original | undefined;
  /**
   * How many clones can be made now, and why no more (no spec, back-off after a failure, no capacity). Asked only when
   * one is to be made.
   */
  creatable: () => Creatable;
  /** Why a stopped instance is not started again yet; undefined when it may be. */
  startWait: (instance: ServiceInstance) => StartWait | undefined;
  /** Why a step that has failed is not tried again yet; undefined when it may be. */
  retryWait?: RetryWait;
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

/** More than this share unhealthy at once is not the instances' fault; replacing them would not help. */
const massFailureShare = 0.5;

export function planInstances(planning: ServicePlanning): InstanceStep[] {
  const { wanted, busy, creating, unhealthyAfterMs, unknown } = planning;
  const all = planning.instances.filter((instance) => !instance.byOperator);
  const away = all.filter(({ host }) => unknown.hosts.has(host));
  const awayActive = away.filter(isActive).length + unknown.unlisted;
  const instances = all.filter((instance) => !away.includes(instance));
  const active = instances.filter(isActive);
  // Being drained or stopped, which does not show in them yet.
  const leaving = active.filter(({ id }) => isLeaving(busy.get(id)));
  const sick = active.filter(
    (instance) => isUnhealthy(instance, unhealthyAfterMs) && !leaving.includes(instance),
  );
  const massFailure = sick.length > 1 && sick.length > active.length * massFailureShare;
  // A protected one would stay, and a healthy one would go in its place.
  const [mine, theirs] = [sick.filter((each) => !each.protected), sick.filter((each) => each.protected)];
  // One replacement at a time: what makes one sick may make its successor sick as well.
  const patient = massFailure ? undefined : mine[0];
  const replaced = patient === undefined ? 0 : 1;
  // A clone that is being stopped does not come back, however long it takes to end; it counts as gone.
  const ending = leaving.filter(({ id, clone }) => clone && busy.get(id) === 'stop').length;
  const coming = active.length - ending + awayActive + creating.active;
  const steps: InstanceStep[] = [];
  if (massFailure) {
    steps.push({
      kind: 'hold',
      reason: `${sick.length} of ${active.length} instances are unhealthy at once: none is replaced`,
    });
  } else {
    for (const one of theirs) {
      const reason = `${one.name} is not replaced, since it is protected: ${describeIllness(one)}`;
      steps.push({ kind: 'hold', reason });
    }
  }
  const missing = wanted + replaced - coming - busyReturning(all, busy);
  if (missing > 0)
    steps.push(...planUp(planning, instances, missing, coming >= wanted ? patient : undefined));
  // A replacement is one above the wanted number until the sick one is gone, and that goes only when the new one serves.
  const surplus =
    active.length - leaving.length - wanted - (servingWithout(sick, active) < wanted ? replaced : 0);
  if (surplus > 0 && missing <= 0) steps.push(...planDrains(planning, active, surplus));
  const awaySpares = away.filter(isSpare).length;
  steps.push(...planSpares(planning, instances, Math.max(0, missing), awaySpares));
  steps.push(...planStopped(planning, instances, wanted));
  if (away.length + unknown.unlisted > 0) {
    const tooMany = Math.min(awayActive, active.length - leaving.length + awayActive - wanted - replaced);
    steps.push({ kind: 'hold', reason: formatUnknown(unknown, awayActive + awaySpares, tooMany) });
  }
  return withoutWaiting(steps, planning.retryWait ?? neverFailed);
}

export const isLeaving = (step: InstanceStepKind | undefined): boolean => step === 'drain' || step === 'stop';

/** How many serve without the sick ones, which may well have traffic: HAProxy's check is another than Docker's. */
function servingWithout(sick: readonly ServiceInstance[], active: readonly ServiceInstance[]): number {
  return active.filter((instance) => instance.serving && !sick.includes(instance)).length;
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
        remove: victim.clone,
        reason: isUnhealthy(victim, planning.unhealthyAfterMs)
          ? `${describeIllness(victim)}, and it is one too many`
          : 'it does not serve and is one too many',
        ...causeOf(planning, victim),
      });
      continue;
    }
    steps.push({
      kind: 'drain',
      id: victim.id,
      name: victim.name,
      reason: isUnhealthy(victim, planning.unhealthyAfterMs)
        ? `${describeIllness(victim)}; ${wanted} wanted`
        : `${wanted} wanted`,
      ...causeOf(planning, victim),
    });
  }
  if (steps.length < surplus)
    steps.push({ kind: 'hold', reason: `${surplus - steps.length} too many, but the others are protected` });
  return steps;
}

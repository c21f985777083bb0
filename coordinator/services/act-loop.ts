// Brings every service to the number of instances that is wanted: join what is seen, plan, carry out, look again.
// Single-flight; steps run beside each other and beside the next rounds, and an instance with a step on it is left alone
// until the step is done and Docker's listing shows it.
//
// Woken by Docker's events, agents, decisions and operators; once a second when nothing happens.

import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import { Wakeup } from '../../shared/wakeup.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import type { SeenHaproxy } from '../observe/haproxy.ts';
import type { ActRules } from './act-rules.ts';
import type { Creation, Creations } from './creations.ts';
import { leastServing } from './disruption-budget.ts';
import type { Fleet } from './fleet.ts';
import type { FleetAgents } from './fleet-agents.ts';
import type { InstanceExecutor } from './instance-executor.ts';
import type { InstanceStep } from './instance-step.ts';
import { emptyMemory, type InstanceMemory, type Joined, joinInstances } from './join-instances.ts';
import { KeepOut } from './keep-out.ts';
import { applyLabelWish, type LabelWish, labelEntry } from './label-wishes.ts';
import type { Placement } from './placement.ts';
import { isLeaving, planInstances } from './plan-instances.ts';
import { originalOf } from './plan-original.ts';
import { isActive, isSpare, type ServiceInstance, unhealthyAfterMs } from './service-instance.ts';
import { expireState, expiryEntries, type ServiceState, withoutContainers } from './service-state.ts';
import type { Services } from './services.ts';
import { readSlotSessions, type SlotSessions } from './slot-sessions.ts';
import { StepRunner } from './step-runner.ts';
import { activeByHost, unknownPart, whyUnknown } from './unknown-hosts.ts';
import { WaitingList } from './waiting-list.ts';

export interface ActLoopParts {
  services: Services;
  fleet: Fleet;
  creations: Creations;
  placement: Placement;
  agents: FleetAgents;
  executor: InstanceExecutor;
  /** Every HAProxy that is configured, with its rows while it answers. */
  haproxys(): readonly SeenHaproxy[];
  rules(service: string): ActRules;
  /** The number that labels ask for, of a service without a policy; undefined: no other than now. */
  wish(state: ServiceState, instances: readonly ServiceInstance[]): LabelWish | undefined;
  audit(entry: AuditEntry): void;
  log: Log;
  clock: Clock;
}

const leastGapMs = 20;
const idleMs = 1000;
/** While something drains, its sessions are looked at this often. */
const drainingMs = 100;

export class ActLoop {
  readonly #parts: ActLoopParts;
  readonly #steps: StepRunner;
  readonly #keepOut: KeepOut;
  readonly #waitingList = new WaitingList();
  #memory: InstanceMemory = emptyMemory;
  #instances: ReadonlyMap<string, readonly ServiceInstance[]> = new Map();
  #plans = new Map<string, readonly InstanceStep[]>();
  readonly #wakeup = new Wakeup();

  constructor(parts: ActLoopParts) {
    this.#parts = parts;
    this.#steps = new StepRunner(parts, () => this.wake());
    this.#keepOut = new KeepOut(parts.agents, parts.clock);
  }

  wake(): void {
    this.#wakeup.wake();
  }

  /** Instances by service, as of the last look. */
  instances(): ReadonlyMap<string, readonly ServiceInstance[]> {
    return this.#instances;
  }

  /** What the last round planned for a service, also what it holds and why. */
  plan(service: string): readonly InstanceStep[] {
    return this.#plans.get(service) ?? [];
  }

  /** Whether a step is taking an instance away just now. */
  isLeaving(id: string): boolean {
    return isLeaving(this.#steps.busy().get(id));
  }

  /** The steps that so many instances would mean now; none of them is done. */
  async preview(
    state: ServiceState,
    replicas: number,
    signal: AbortSignal,
  ): Promise<readonly InstanceStep[]> {
    const { byService } = this.#join(await this.#readSessions(signal));
    const instances = byService.get(state.service) ?? [];
    const rule = this.#parts.rules(state.service);
    return this.#plan(state, replicas, instances, rule, this.#steps.busy());
  }

  /** How creating went since the last call; undefined when nothing was created. */
  takeCreation(service: string): Creation | undefined {
    return this.#parts.creations.take(service);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, fleet, agents, services, log } = this.#parts;
    const ends = [
      fleet.onChange(() => this.wake()),
      agents.onChange(() => this.wake()),
      services.onChange(() => this.wake()),
    ];
    try {
      while (!signal.aborted) {
        let pause = idleMs;
        try {
          pause = await this.#round(signal);
        } catch (error) {
          if (!signal.aborted)
            log.error(
              { event: 'act.failed', error: describeError(error) },
              'a round of acting failed; the next one follows',
            );
        }
        await clock.sleep(leastGapMs, signal);
        await this.#wakeup.sleep(clock, Math.max(1, pause - leastGapMs), signal);
      }
    } finally {
      for (const end of ends) end();
      await this.#steps.ended();
    }
  }

  async #round(signal: AbortSignal): Promise<number> {
    const { services, rules } = this.#parts;
    await this.#see(signal);
    let draining = false;
    const ranked = services.list().map((state) => {
      const rule = rules(state.service);
      return { service: state.service, priority: rule.priority, state, rule };
    });
    const busy = this.#steps.busy();
    for (const { state, rule } of this.#waitingList.order(ranked)) {
      const instances = this.#instances.get(state.service) ?? [];
      const current = this.#update(state, instances);
      const wanted = current.override?.replicas ?? current.wanted;
      if (wanted === null) continue;
      const steps = this.#plan(current, wanted, instances, rule, busy);
      this.#waitingList.note(
        state.service,
        steps.some((step) => step.kind === 'hold' && step.noRoom === true),
      );
      this.#plans.set(state.service, steps);
      this.#steps.begin(steps, current, instances, signal);
      draining ||= instances.some((instance) => isSpare(instance) && instance.state === 'running');
    }
    return draining ? drainingMs : idleMs;
  }

  /** The state with what has expired taken away, and with what labels ask for in view of what there is. */
  #update(state: ServiceState, instances: readonly ServiceInstance[]): ServiceState {
    const { services, fleet, clock, wish } = this.#parts;
    const expired = expireState(state, clock.wall());
    for (const entry of expiryEntries(state, expired)) this.#parts.audit(entry);
    const present = withoutContainers(expired, (id) => fleet.fate(id) === 'gone');
    const activeOn = activeByHost(state.activeOn, fleet.views(), instances);
    const current = activeOn === state.activeOn ? present : { ...present, activeOn: { ...activeOn } };
    const isOpen = whyUnknown(current, fleet.views()) !== undefined;
    const asked = isOpen ? undefined : wish(current, instances);
    if (current === state && asked === undefined) return state;
    if (asked === undefined) return services.change(state.service, current);
    this.#parts.audit(labelEntry(current, asked));
    return services.change(state.service, { ...current, ...applyLabelWish(current, asked, clock.wall()) });
  }

  /** Looks at everything and joins it. Sessions are read only while somebody waits for them. */
  async #see(signal: AbortSignal): Promise<void> {
    const { services } = this.#parts;
    const needed = services.list().some((state) => this.#needsSessions(state));
    const joined = this.#join(needed ? await this.#readSessions(signal) : undefined);
    this.#memory = joined.memory;
    this.#instances = joined.byService;
    const all = [...joined.byService.values()].flat();
    for (const instance of all) {
      this.#keepOut.tell(instance);
    }
    this.#steps.see(all);
  }

  #readSessions(signal: AbortSignal): Promise<SlotSessions> {
    const apis = this.#parts.haproxys().map(({ api }) => api);
    return readSlotSessions(apis, signal);
  }

  #join(sessions: SlotSessions): Joined {
    const { fleet, agents, haproxys, services, clock } = this.#parts;
    return joinInstances({
      hosts: fleet.views(),
      agents: agents.list(),
      haproxys: haproxys().flatMap(({ name, rows }) => (rows === undefined ? [] : [{ name, rows }])),
      sessions,
      byOperator: new Set(services.list().flatMap(({ byOperator }) => byOperator)),
      spares: new Set(services.list().flatMap(({ spares }) => spares)),
      agentOf: (instance) => agents.agentOf(instance),
      memory: this.#memory,
      now: clock.monotonic(),
      wall: clock.wall(),
    });
  }

  #needsSessions(state: ServiceState): boolean {
    const wanted = state.override?.replicas ?? state.wanted;
    const instances = this.#instances.get(state.service) ?? [];
    if (wanted === null) return false;
    return (
      instances.filter(isActive).length > wanted ||
      instances.some((instance) => isSpare(instance) && instance.state === 'running')
    );
  }

  #plan(
    state: ServiceState,
    wanted: number,
    instances: readonly ServiceInstance[],
    rule: ActRules,
    busy: ReadonlyMap<string, InstanceStep['kind']>,
  ): InstanceStep[] {
    const { fleet, clock } = this.#parts;
    const { service } = state;
    const now = clock.monotonic();
    return planInstances({
      instances,
      unknown: unknownPart(state.activeOn, fleet.views()),
      wanted,
      warm: wanted === 0 ? 0 : rule.warm,
      minAvailable: leastServing(rule.budget, wanted, state.wanted),
      busy,
      creating: this.#parts.creations.counts(service),
      original: originalOf(state),
      creatable: () => this.#steps.creatable(state, now),
      startWait: ({ id }) => this.#steps.startWait(id, now),
      retryWait: (kind, id) => this.#steps.retryWait(kind, id, now),
      unhealthyAfterMs,
      drainDeadlineMs: rule.drainDeadlineMs,
      orderVictims: rule.orderVictims,
      nodes: rule.nodes,
      naming: rule.naming,
      alert: (state.override === null ? state.wantedAlert : null) ?? undefined,
      availabilityAlert: rule.availabilityAlert,
    });
  }
}

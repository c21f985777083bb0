// Brings every service to the number of instances that is wanted: join what is seen, plan, carry out, look again.
// Single-flight; steps run beside each other and beside the next rounds, and an instance with a step on it is left alone
// until the step is done and Docker's listing shows it.
//
// Woken by Docker's events, agents, decisions and operators; once a second when nothing happens.
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { RuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import type { Log } from '../../shared/log.ts';
import { Wakeup } from '../../shared/wakeup.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import { type Coming, type Creation, type Creations, describeWait } from './creations.ts';
import type { Fleet } from './fleet.ts';
import type { FleetAgents } from './fleet-agents.ts';
import type { Done, InstanceExecutor } from './instance-executor.ts';
import type { InstanceStep } from './instance-step.ts';
import { emptyMemory, type InstanceMemory, joinInstances } from './join-instances.ts';
import type { LabelWish } from './label-wishes.ts';
import type { Placement } from './placement.ts';
import { type Creatable, planInstances } from './plan-instances.ts';
import { RetryBook } from './retry-book.ts';
import { isActive, isSpare, type ServiceInstance } from './service-instance.ts';
import { expireState, type ServiceState, withoutContainers } from './service-state.ts';
import type { Services } from './services.ts';
import { readSlotSessions } from './slot-sessions.ts';
import { type Act, StepReporter } from './step-reporter.ts';
import { activeByHost, unknownPart, whyUnknown } from './unknown-hosts.ts';
import { WaitingList } from './waiting-list.ts';

/** What a policy or a label says of how a service is to be acted on. */
export interface ActRules {
  /** Who goes first when hosts are full: the larger one. */
  priority: number;
  /** Instances kept paused beside the active ones. */
  warm: number;
  /** Fewest that must serve, of `wanted`. */
  minAvailable(wanted: number): number;
  drainDeadlineMs: number;
  orderVictims(instances: readonly ServiceInstance[]): readonly ServiceInstance[];
}

export interface ActLoopParts {
  services: Services;
  fleet: Fleet;
  creations: Creations;
  placement: Placement;
  agents: FleetAgents;
  executor: InstanceExecutor;
  /** Every HAProxy that is configured, with its rows while it answers. */
  haproxys(): readonly { name: string; api: RuntimeApi; rows: readonly ServerRow[] | undefined }[];
  rules(service: string): ActRules;
  /** The number that labels ask for, of a service without a policy; undefined: no other than now. */
  wish(state: ServiceState, instances: readonly ServiceInstance[]): LabelWish | undefined;
  audit(entry: AuditEntry): void;
  log: Log;
  clock: Clock;
}

const leastGapMs = 20;
/** An instance that should be out of traffic and does not say so is told again after this long. */
const tellAgainMs = 1000;
const idleMs = 1000;
/** While something drains, its sessions are looked at this often. */
const drainingMs = 100;
const unhealthyAfterMs = 30_000;
/** An instance that has served for this long is no crash loop. */
const settledMs = 60_000;

export class ActLoop {
  readonly #parts: ActLoopParts;
  readonly #reporter: StepReporter;
  readonly #starts = new RetryBook();
  /** Containers that Docker refused to start. */
  readonly #unstartable = new Set<string>();
  readonly #busy = new Map<string, { kind: InstanceStep['kind']; done: Promise<void> }>();
  readonly #waitingList = new WaitingList();
  readonly #told = new Map<string, number>();
  #memory: InstanceMemory = emptyMemory;
  #instances: ReadonlyMap<string, readonly ServiceInstance[]> = new Map();
  #plans = new Map<string, readonly InstanceStep[]>();
  readonly #wakeup = new Wakeup();

  constructor(parts: ActLoopParts) {
    this.#parts = parts;
    this.#reporter = new StepReporter(parts.log, parts.audit);
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
      await Promise.all([...this.#busy.values()].map(({ done }) => done));
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
    const busy = new Map([...this.#busy].map(([id, { kind }]) => [id, kind]));
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
      this.#reporter.holds(state.service, steps);
      for (const step of steps) if (step.kind !== 'hold') this.#launch(step, current, instances, signal);
      draining ||= instances.some((instance) => isSpare(instance) && instance.state === 'running');
    }
    return draining ? drainingMs : idleMs;
  }

  /** The state with what has expired taken away, and with what labels ask for in view of what there is. */
  #update(state: ServiceState, instances: readonly ServiceInstance[]): ServiceState {
    const { services, fleet, clock, wish } = this.#parts;
    const expired = expireState(state, clock.wall());
    const present = withoutContainers(expired, (id) => fleet.fate(id) === 'gone');
    const activeOn = activeByHost(state.activeOn, fleet.views(), instances);
    const current = activeOn === state.activeOn ? present : { ...present, activeOn: { ...activeOn } };
    const isOpen = whyUnknown(current, fleet.views()) !== undefined;
    const asked = isOpen ? undefined : wish(current, instances);
    if (current === state && asked === undefined) return state;
    const wanted =
      asked === undefined ? {} : { wanted: asked.wanted, wantedBy: 'labels', wantedReason: asked.reason };
    return services.change(state.service, { ...current, ...wanted });
  }

  /** Looks at everything and joins it. Sessions are read only while somebody waits for them. */
  async #see(signal: AbortSignal): Promise<void> {
    const { fleet, agents, haproxys, services, clock } = this.#parts;
    const proxies = haproxys();
    const needed = services.list().some((state) => this.#needsSessions(state));
    const sessions = needed
      ? await readSlotSessions(
          proxies.map(({ api }) => api),
          signal,
        )
      : undefined;
    const joined = joinInstances({
      hosts: fleet.views(),
      agents: agents.list(),
      haproxys: proxies.flatMap(({ name, rows }) => (rows === undefined ? [] : [{ name, rows }])),
      sessions,
      byOperator: new Set(services.list().flatMap(({ byOperator }) => byOperator)),
      spares: new Set(services.list().flatMap(({ spares }) => spares)),
      agentOf: (instance) => agents.agentOf(instance),
      memory: this.#memory,
      now: clock.monotonic(),
      wall: clock.wall(),
    });
    this.#memory = joined.memory;
    this.#instances = joined.byService;
    const all = [...joined.byService.values()].flat();
    for (const instance of all) {
      this.#keepOut(instance);
      if (instance.serving && (instance.startAgeMs ?? 0) > settledMs) this.#starts.succeeded(instance.id);
      if (!this.#busy.has(instance.id)) this.#parts.creations.prove(instance, clock.monotonic());
    }
    const ids = new Set(all.map(({ id }) => id));
    this.#starts.keep(ids);
    for (const id of this.#unstartable) if (!ids.has(id)) this.#unstartable.delete(id);
    this.#parts.creations.forget((id) => fleet.fate(id) === 'gone');
  }

  /**
   * Told before it gets traffic: a spare that has just come up, and what an operator has drained, when neither its agent
   * nor the registry remember it. The registry says it again to each new session.
   */
  #keepOut({ agent, phase, byOperator, madeSpare }: ServiceInstance): void {
    const { agents, clock } = this.#parts;
    if (agent === undefined) return;
    if (!byOperator && !madeSpare) this.#told.delete(agent);
    else if (phase !== undefined && phase !== 'stopping') {
      // Once in any case, so that the registry knows it for the next session; again for as long as it does not show.
      const now = clock.monotonic();
      const toldAt = this.#told.get(agent);
      if (toldAt !== undefined && (phase === 'draining' || now - toldAt < tellAgainMs)) return;
      this.#told.set(agent, now);
      agents.drain(agent, true, byOperator ? 'an operator has drained it' : 'it is kept warm');
    }
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
      minAvailable: Math.min(wanted, rule.minAvailable(wanted)),
      busy,
      creating: this.#parts.creations.counts(service),
      creatable: () => this.#creatable(state, now),
      startWait: ({ id }) => {
        const waits = this.#starts.waits(id, now);
        if (waits === undefined) return undefined;
        return { why: describeWait(waits), crashed: !this.#unstartable.has(id) };
      },
      unhealthyAfterMs,
      drainDeadlineMs: rule.drainDeadlineMs,
      orderVictims: rule.orderVictims,
    });
  }

  #creatable({ service, spec }: ServiceState, now: number): Creatable {
    if (spec === null)
      return {
        atMost: 0,
        why: 'no instance of it has been seen healthy yet, so there is nothing to clone',
      };
    const { creations, placement, fleet } = this.#parts;
    const views = fleet.views();
    const waiting = creations.waiting(service, views, now);
    const open = views.filter(({ host, known }) => known && !waiting.has(host));
    const { fits, why } = placement.room(service, spec, { avoided: new Set(waiting.keys()) });
    const away = views.flatMap(({ host, known }) => (known ? [] : [`Docker host ${host} does not answer`]));
    const reasons = [...(open.length > 0 ? [why] : []), ...away, ...waiting.values()];
    return {
      atMost: fits,
      why: reasons.length === 0 ? 'there is no Docker host' : reasons.join('; '),
      noRoom: open.length > 0 && waiting.size === 0,
    };
  }

  #launch(step: Act, state: ServiceState, instances: readonly ServiceInstance[], signal: AbortSignal): void {
    const coming = step.kind === 'create' ? this.#place(state, step.spare) : undefined;
    const key = step.kind === 'create' ? `create ${crypto.randomUUID()}` : step.id;
    const instance = step.kind === 'create' ? undefined : instances.find(({ id }) => id === step.id);
    const running = this.#carryOut(step, state, { instance, coming }, signal).finally(() => {
      if (coming !== undefined) this.#parts.creations.end(coming);
      this.#busy.delete(key);
      this.wake();
    });
    this.#busy.set(key, { kind: step.kind, done: running });
  }

  /** Where a new instance is to be, in view of what else is being made; undefined when no host would take it now. */
  #place({ service, spec }: ServiceState, spare: boolean): Coming | undefined {
    const { creations, placement, fleet, clock } = this.#parts;
    const begunAt = clock.monotonic();
    const avoided = new Set(creations.waiting(service, fleet.views(), begunAt).keys());
    const place = spec === null ? undefined : placement.choose(service, spec, avoided);
    if (place === undefined) return undefined;
    const coming: Coming = { service, spare, begunAt, ...place };
    creations.begin(coming);
    return coming;
  }

  /**
   * Ends only when Docker's listing shows what was done: the next plan is then made from what is, not from what was
   * (AUTOSCALING.md, 25). On a host that has gone away meanwhile that takes until it is back.
   */
  async #carryOut(
    step: Act,
    state: ServiceState,
    on: { instance: ServiceInstance | undefined; coming: Coming | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    const { executor, fleet } = this.#parts;
    let done: Done;
    try {
      done = await executor.run(step, state, on, signal);
    } catch (error) {
      if (!signal.aborted) this.#failed(step, state.service, on, error);
      return;
    }
    this.#succeeded(step, state.service, on.coming, done);
    if (step.kind === 'drain' || step.kind === 'undrain') return;
    // It rejects at the end of this loop alone.
    await fleet.lookAgain(done.host, signal).catch(() => undefined);
  }

  #succeeded(step: Act, service: string, coming: Coming | undefined, done: Done): void {
    if (coming !== undefined) this.#parts.creations.made(coming, done.container);
    // Each start counts against the next one until it has served for a while: that is what a crash loop looks like.
    if (step.kind === 'start' || step.kind === 'create') {
      this.#starts.failed(done.container, 'it ended soon after its start', this.#parts.clock.monotonic());
      this.#unstartable.delete(done.container);
    }
    this.#reporter.done(step, service, done);
  }

  #failed(
    step: Act,
    service: string,
    { instance, coming }: { instance: ServiceInstance | undefined; coming: Coming | undefined },
    error: unknown,
  ): void {
    const now = this.#parts.clock.monotonic();
    const why = describeError(error);
    if (coming !== undefined) this.#parts.creations.failed(coming, why, now);
    else if (step.kind === 'start') {
      this.#starts.failed(step.id, why, now);
      this.#unstartable.add(step.id);
    }
    this.#reporter.failed(step, service, coming?.host ?? instance?.host, error);
  }
}

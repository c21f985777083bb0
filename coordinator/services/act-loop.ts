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
import type { Fleet } from './fleet.ts';
import type { FleetAgents } from './fleet-agents.ts';
import type { Done, InstanceExecutor } from './instance-executor.ts';
import type { InstanceStep } from './instance-step.ts';
import { emptyMemory, type InstanceMemory, joinInstances } from './join-instances.ts';
import type { LabelWish } from './label-wishes.ts';
import type { NodeWishes } from './node-wishes.ts';
import { planInstances, type ServicePlanning } from './plan-instances.ts';
import { RetryBook } from './retry-book.ts';
import { isActive, isSpare, type ServiceInstance } from './service-instance.ts';
import { expireState, type ServiceState, withoutContainers } from './service-state.ts';
import type { Services } from './services.ts';
import { readSlotSessions } from './slot-sessions.ts';
import { StepReporter } from './step-reporter.ts';

/** What a policy or a label says of how a service is to be acted on. */
export interface ActRules {
  /** Instances kept paused beside the active ones. */
  warm: number;
  /** Fewest that must serve, of `wanted`. */
  minAvailable(wanted: number): number;
  drainDeadlineMs: number;
  orderVictims(instances: readonly ServiceInstance[]): readonly ServiceInstance[];
  nodes: NodeWishes;
  /** What the names of new instances are to begin with, as an alert says. */
  naming?: string | undefined;
  /** An alert that asks to look after the service. */
  availabilityAlert?: string | undefined;
}

export interface ActLoopParts {
  services: Services;
  fleet: Fleet;
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

/** The two ways in which a creation has ended since a decision last asked. */
export type Creation = 'failed' | 'succeeded';

type On<K extends InstanceStep['kind']> = Extract<InstanceStep, { kind: K }>;
type Creating = Required<ServicePlanning['creating']>;
const noneCreating: Creating = { active: 0, spare: 0, clonesFor: [] };

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
  readonly #creations = new RetryBook();
  readonly #starts = new RetryBook();
  /** Containers that Docker refused to start. */
  readonly #unstartable = new Set<string>();
  /** Containers that were made and have not proved to work yet, with their service. */
  readonly #unproven = new Map<string, string>();
  readonly #busy = new Map<string, { kind: InstanceStep['kind']; done: Promise<void> }>();
  readonly #creating = new Map<string, Creating>();
  readonly #created = new Map<string, Creation>();
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
    const creation = this.#created.get(service);
    this.#created.delete(service);
    return creation;
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
    const { services } = this.#parts;
    await this.#see(signal);
    let draining = false;
    for (const state of services.list()) {
      const instances = this.#instances.get(state.service) ?? [];
      const current = this.#update(state, instances);
      const wanted = current.override?.replicas ?? current.wanted;
      if (wanted === null) continue;
      const steps = this.#plan(current, wanted, instances);
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
    const current = withoutContainers(expired, (id) => fleet.fate(id) === 'gone');
    const asked = wish(current, instances);
    if (current === state && asked === undefined) return state;
    const wanted =
      asked === undefined
        ? {}
        : {
            wanted: asked.wanted,
            wantedBy: 'labels',
            wantedReason: asked.reason,
            wantedAlert: null,
          };
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
      this.#prove(instance);
    }
    const ids = new Set(all.map(({ id }) => id));
    this.#starts.keep(ids);
    for (const id of this.#unstartable) if (!ids.has(id)) this.#unstartable.delete(id);
    for (const id of this.#unproven.keys()) if (fleet.fate(id) === 'gone') this.#unproven.delete(id);
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

  /** A creation has succeeded only when what was made works: what ends before would be made again without end. */
  #prove(instance: ServiceInstance): void {
    const service = this.#unproven.get(instance.id);
    if (service === undefined || this.#busy.has(instance.id)) return;
    if (instance.serving || (isSpare(instance) && instance.registered)) this.#creations.succeeded(service);
    else if (instance.state === 'exited' || instance.state === 'dead')
      this.#creations.failed(
        service,
        `${instance.name} ended before it served`,
        this.#parts.clock.monotonic(),
      );
    else return;
    this.#unproven.delete(instance.id);
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

  #plan(state: ServiceState, wanted: number, instances: readonly ServiceInstance[]): InstanceStep[] {
    const { rules, fleet, clock } = this.#parts;
    const { service } = state;
    const rule = rules(service);
    const now = clock.monotonic();
    const unknown = fleet.views().filter((view) => !view.known);
    if (
      unknown.length > 0 &&
      (unknown.length === fleet.views().length ||
        instances.some(({ host }) => unknown.some((view) => view.host === host)))
    ) {
      // Unknown is not empty: what may still run there must not be made a second time.
      return [
        { kind: 'hold', reason: `Docker host ${unknown.map(({ host }) => host).join(', ')} does not answer` },
      ];
    }
    return planInstances({
      instances,
      wanted,
      warm: wanted === 0 ? 0 : rule.warm,
      minAvailable: Math.min(wanted, rule.minAvailable(wanted)),
      busy: new Map([...this.#busy].map(([id, { kind }]) => [id, kind])),
      creating: this.#creating.get(service) ?? noneCreating,
      creatable: this.#creatable(state, now),
      startWait: ({ id }) => {
        const waits = this.#starts.waits(id, now);
        if (waits === undefined) return undefined;
        return { why: describeWait(waits), crashed: !this.#unstartable.has(id) };
      },
      unhealthyAfterMs,
      drainDeadlineMs: rule.drainDeadlineMs,
      orderVictims: rule.orderVictims,
      nodes: rule.nodes,
      naming: rule.naming,
      alert: (state.override === null ? state.wantedAlert : null) ?? undefined,
      availabilityAlert: rule.availabilityAlert,
    });
  }

  #creatable(
    { service, spec }: ServiceState,
    now: number,
  ): { possible: true } | { possible: false; why: string } {
    if (spec === null)
      return {
        possible: false,
        why: 'no instance of it has been seen healthy yet, so there is nothing to clone',
      };
    const waits = this.#creations.waits(service, now);
    if (waits === undefined) return { possible: true };
    return { possible: false, why: describeWait(waits) };
  }

  #launch(
    step: Exclude<InstanceStep, { kind: 'hold' }>,
    state: ServiceState,
    instances: readonly ServiceInstance[],
    signal: AbortSignal,
  ): void {
    const { executor } = this.#parts;
    const { service } = state;
    const key = step.kind === 'create' ? `create ${service} ${crypto.randomUUID()}` : step.id;
    const instance = step.kind === 'create' ? undefined : instances.find(({ id }) => id === step.id);
    if (step.kind === 'create') this.#countCreation(service, step, 1);
    const running = executor
      .run(step, state, instance, signal)
      .then(
        (done) => this.#succeeded(step, service, done),
        (error: unknown) => {
          if (!signal.aborted) this.#failed(step, service, error);
        },
      )
      .finally(() => {
        if (step.kind === 'create') this.#countCreation(service, step, -1);
        this.#busy.delete(key);
        this.wake();
      });
    this.#busy.set(key, { kind: step.kind, done: running });
  }

  #countCreation(service: string, { spare, model }: On<'create'>, change: 1 | -1): void {
    const before = this.#creating.get(service) ?? noneCreating;
    const clonesFor = [...before.clonesFor];
    if (model !== undefined && change === 1) clonesFor.push(model.firing);
    else if (model !== undefined) clonesFor.splice(clonesFor.indexOf(model.firing), 1);
    this.#creating.set(service, {
      active: before.active + (spare ? 0 : change),
      spare: before.spare + (spare ? change : 0),
      clonesFor,
    });
  }

  #succeeded(step: Exclude<InstanceStep, { kind: 'hold' }>, service: string, done: Done): void {
    if (step.kind === 'create') {
      this.#unproven.set(done.container, service);
      this.#created.set(service, 'succeeded');
    }
    // Each start counts against the next one until it has served for a while: that is what a crash loop looks like.
    if (step.kind === 'start' || step.kind === 'create') {
      this.#starts.failed(done.container, 'it ended soon after its start', this.#parts.clock.monotonic());
      this.#unstartable.delete(done.container);
    }
    this.#reporter.done(step, service, done);
  }

  #failed(step: Exclude<InstanceStep, { kind: 'hold' }>, service: string, error: unknown): void {
    const now = this.#parts.clock.monotonic();
    const why = describeError(error);
    if (step.kind === 'create') {
      this.#creations.failed(service, why, now);
      this.#created.set(service, 'failed');
    } else if (step.kind === 'start') {
      this.#starts.failed(step.id, why, now);
      this.#unstartable.add(step.id);
    }
    this.#reporter.failed(step, service, error);
  }
}

const describeWait = ({ reason, forMs }: { reason: string; forMs: number }): string =>
  `the last try failed (${reason}); the next one is in ${Math.ceil(forMs / 1000)} s`;

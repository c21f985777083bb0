// The acting half, put together: what Docker has, what is wanted, and the loop that brings one to the other.
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { LabelSettings } from '../../shared/labels.ts';
import type { Log } from '../../shared/log.ts';
import type { AgentRecord } from '../agents/agent-record.ts';
import type { AgentRegistry } from '../agents/registry.ts';
import type { Audit } from '../audit/audit.ts';
import type { RoomShares } from '../decide/capacity.ts';
import type { SeenHaproxy } from '../observe/haproxy.ts';
import type { AdmittedPolicy } from '../policy/normalize.ts';
import type { ContainerFate } from '../slots/slot-world.ts';
import type { Store } from '../store/store.ts';
import type { DockerEndpoint } from '../targets/docker/endpoint.ts';
import { ActLoop } from './act-loop.ts';
import { type AlertRules, readActRules } from './act-rules.ts';
import { Creations } from './creations.ts';
import { leastServing, whyInTraffic } from './disruption-budget.ts';
import { awaitEndpoint } from './docker-endpoints.ts';
import { Fleet } from './fleet.ts';
import { FleetAgents } from './fleet-agents.ts';
import { type Boundary, InstanceExecutor } from './instance-executor.ts';
import { LabelWatcher } from './label-watcher.ts';
import { hasLabelWish, readLabelWish } from './label-wishes.ts';
import { Placement, type Room } from './placement.ts';
import type { RoomClaim } from './room-claims.ts';
import { isActive, isSpare, isStopped } from './service-instance.ts';
import { ServiceSaver } from './service-saver.ts';
import type { ServiceState } from './service-state.ts';
import { Services } from './services.ts';
import { SpecKeeper } from './spec-keeper.ts';

export interface ActingParts {
  endpoints: readonly DockerEndpoint[];
  /** Looks for an engine again, where there were no endpoints. */
  lookForDocker?: () => Promise<DockerEndpoint | undefined>;
  registry: AgentRegistry;
  store: Store;
  audit: Audit;
  log: Log;
  clock: Clock;
  /** The policy in force for a service. */
  policyOf: (service: string) => AdmittedPolicy | undefined;
  /** What live alerts ask of containers, and of the service besides its size. */
  alertRules: (service: string) => AlertRules;
  /** Takes up the alerts of an earlier run; false while the database is away. */
  loadAlerts: () => Promise<boolean>;
  haproxys: () => readonly SeenHaproxy[];
  /** How much of each host may be promised; default: as much as anybody asks for. */
  shares?: RoomShares;
  boundary?: Boundary;
}

const allOfIt: RoomShares = { memory: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY };

export class Acting {
  readonly fleet: Fleet;
  readonly agents: FleetAgents;
  readonly services = new Services();
  readonly loop: ActLoop;
  readonly #placement: Placement;
  readonly #parts: ActingParts;
  readonly #saver: ServiceSaver;
  readonly #specs: SpecKeeper;
  readonly #watcher: LabelWatcher;

  constructor(parts: ActingParts) {
    const { endpoints, registry, store, audit, log, clock, policyOf, haproxys } = parts;
    this.#parts = parts;
    this.agents = new FleetAgents(registry, clock);
    this.fleet = new Fleet(endpoints, { log, clock, agents: () => registry.list() });
    this.#saver = new ServiceSaver({ services: this.services, store, log, clock });
    const { fleet, agents, services } = this;
    const boundary = parts.boundary ?? (() => undefined);
    const creations = new Creations();
    const placement = new Placement({
      views: () => fleet.views(),
      coming: () => creations.coming(),
      shares: parts.shares ?? allOfIt,
    });
    this.#placement = placement;
    this.loop = new ActLoop({
      services,
      fleet,
      creations,
      placement,
      agents,
      executor: new InstanceExecutor({
        fleet,
        agents,
        registry,
        services,
        save: () => this.#saver.save(),
        log,
        clock,
        boundary,
      }),
      haproxys,
      rules: (service) => {
        const admitted = policyOf(service);
        return readActRules({
          policy: admitted?.policy,
          drain: admitted?.drain,
          priority: admitted?.priority,
          labels: this.#labels(service),
          alerts: parts.alertRules(service),
        });
      },
      wish: (state, instances) =>
        policyOf(state.service) === undefined && state.override === null
          ? readLabelWish(
              state,
              instances,
              this.#labels(state.service),
              parts.alertRules(state.service).availabilityAlert !== undefined,
            )
          : undefined,
      audit: (entry) => {
        audit
          .record(entry)
          .catch((error: unknown) =>
            log.error({ event: 'audit.failed', error: describeError(error) }, 'an audit row was not written'),
          );
      },
      log,
      clock,
    });
    this.#specs = new SpecKeeper({ services, fleet, instances: () => this.loop.instances(), log, clock });
    this.#watcher = new LabelWatcher({
      fleet,
      agents,
      clock,
      haproxys: () => haproxys().map(({ name }) => name),
    });
  }

  /** What Docker says of an agent's container, for the slot keeper. */
  containerFate(record: AgentRecord): ContainerFate {
    if (record.container === undefined || this.fleet.empty) return 'unknown';
    const fate = this.fleet.fate(record.container);
    if (fate === 'gone' || fate === 'stopped') return 'gone';
    if (fate === 'unknown') return 'unknown';
    return this.fleet.instance(record.container)?.state === 'paused' ? 'paused' : 'up';
  }

  /**
   * How many more instances a service can have: new ones, and those that are there and can be used again. Undefined:
   * nothing limits it. `claims`: what others get first.
   */
  room(service: string, claims: () => readonly RoomClaim[] = () => []): Room | undefined {
    const specOf = (name: string) => this.services.get(name)?.spec ?? null;
    const spec = specOf(service);
    if (spec === null || this.fleet.empty) return undefined;
    if (this.#placement.room(service, spec).fits === Number.POSITIVE_INFINITY) return undefined;
    const claimed = claims().flatMap(({ service: name, count }) => {
      const other = specOf(name);
      return other === null ? [] : Array.from({ length: count }, () => other);
    });
    const { fits, why } = this.#placement.room(service, spec, { claimed });
    const reusable = (this.loop.instances().get(service) ?? []).filter(
      (instance) => !instance.byOperator && (isSpare(instance) || isStopped(instance)),
    );
    return { fits: fits + reusable.length, why };
  }

  /** Slot prefixes that labels name. */
  prefixes(): string[] {
    return [...new Set(this.fleet.instances().flatMap(({ settings }) => settings.slotPrefix ?? []))];
  }

  /** For metrics. */
  counts(): { service: string; wanted: number | null; serving: number; active: number }[] {
    return this.services.list().map(({ service, wanted, override }) => {
      const instances = this.loop.instances().get(service) ?? [];
      const serving = instances.filter((instance) => instance.serving).length;
      return {
        service,
        wanted: override?.replicas ?? wanted,
        serving,
        active: instances.filter(isActive).length,
      };
    });
  }

  /** Writes down what an operator has said, before the answer that it was heard. */
  save(): Promise<void> {
    return this.#saver.save();
  }

  /** An operator has taken a container out of traffic, and until it is given back it is left alone. */
  async leaveToOperator(service: string, container: string, left: boolean): Promise<void> {
    const others = (this.services.get(service)?.byOperator ?? []).filter((id) => id !== container);
    this.services.change(service, { byOperator: left ? [...others, container] : others });
    await this.#saver.save();
  }

  /** Why an operator may not take a container out of traffic now: the budget of its policy. */
  budgetAgainst(service: string, container: string): { why: string; policy: string } | undefined {
    const policy = this.#parts.policyOf(service)?.policy;
    const state = this.services.get(service);
    const wanted = state?.override?.replicas ?? state?.wanted ?? 0;
    if (policy === undefined || policy.budget === null) return undefined;
    const least = leastServing(policy.budget, wanted, state?.wanted ?? null);
    const instances = (this.loop.instances().get(service) ?? []).map((instance) => ({
      ...instance,
      // Also what was said since the last look.
      byOperator: state?.byOperator.includes(instance.id) ?? false,
    }));
    const why = whyInTraffic(container, instances, least, (id) => this.loop.isLeaving(id));
    return why === undefined ? undefined : { why, policy: policy.name };
  }

  isLeftToOperator(container: string): boolean {
    return this.services.list().some(({ byOperator }) => byOperator.includes(container));
  }

  /** Whether labels say how many instances a service should have. */
  isLabelled(state: ServiceState): boolean {
    return hasLabelWish(state, this.#labels(state.service));
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.fleet.empty) {
      const { lookForDocker = async () => undefined } = this.#parts;
      const found = await awaitEndpoint(lookForDocker, this.#parts, signal);
      if (found === undefined) return;
      this.fleet.add(found);
    }
    // The alerts too: what one of them asked for must not be made in another way by a run that has not heard of it.
    while (!((await this.#saver.load()) && (await this.#parts.loadAlerts())) && !signal.aborted)
      await this.#parts.clock.sleep(1000, signal);
    await Promise.all([
      this.fleet.run(signal),
      this.loop.run(signal),
      this.#saver.run(signal),
      this.#specs.run(signal),
      this.#watcher.run(signal),
    ]);
    await this.#saver.save();
  }

  #labels(service: string): LabelSettings[] {
    return this.fleet.instancesOf(service).map(({ settings }) => settings);
  }
}

// The deciding half, put together: policies and their loops, the sources that they read, alerts, and what was decided.
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { AgentRegistry } from '../agents/registry.ts';
import type { AlertWeights } from '../alerts/alert-demand.ts';
import { AlertInbox } from '../alerts/alert-inbox.ts';
import type { Audit } from '../audit/audit.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import type { SeenHaproxy } from '../observe/haproxy.ts';
import { PolicySet } from '../policy/policy-set.ts';
import type { EffectivePolicy, PolicyLabels } from '../policy/resolve-policies.ts';
import { withAlerts } from '../policy/with-alerts.ts';
import { dockerContainerStats } from '../sources/container-stats.ts';
import { PushedMetrics } from '../sources/pushed-metrics.ts';
import { SourceReader } from '../sources/reader.ts';
import type { SourceInstance } from '../sources/source.ts';
import type { Store } from '../store/store.ts';
import type { AlertRules } from './act-rules.ts';
import type { Acting } from './acting.ts';
import { AlertAnswers } from './alert-answers.ts';
import { BackendIndex } from './backend-index.ts';
import { DecisionLog } from './decision-log.ts';
import { chooseNamed, serviceOfNamed } from './named-container.ts';
import type { PolicyLoopParts } from './policy-loop.ts';
import { PolicyLoops } from './policy-loops.ts';
import { claimsAbove, type RoomClaim } from './room-claims.ts';
import { isActive } from './service-instance.ts';
import { whyUnknown } from './unknown-hosts.ts';

export interface ScalingParts {
  policyFile: string | undefined;
  acting: Acting;
  registry: AgentRegistry;
  haproxys: () => readonly Pick<SeenHaproxy, 'name' | 'api'>[];
  store: Store;
  audit: Audit;
  log: Log;
  clock: Clock;
}

const followEveryMs = 500;

export class Scaling {
  readonly policies: PolicySet;
  readonly inbox: AlertInbox;
  readonly pushed: PushedMetrics;
  readonly decisions: DecisionLog;
  readonly loopParts: PolicyLoopParts;
  readonly #parts: ScalingParts;
  readonly #reader: SourceReader;
  readonly #backends: BackendIndex;
  readonly #answers: AlertAnswers;
  readonly #loops: PolicyLoops;

  constructor(parts: ScalingParts) {
    const { policyFile, acting, registry, haproxys, store, audit, log, clock } = parts;
    this.#parts = parts;
    const { fleet, agents, services } = acting;
    const record = (entry: AuditEntry) => {
      audit
        .record(entry)
        .catch((error: unknown) =>
          log.error({ event: 'audit.failed', error: describeError(error) }, 'an audit row was not written'),
        );
    };
    this.#backends = new BackendIndex({ fleet, agents, services });
    this.pushed = new PushedMetrics(clock);
    this.decisions = new DecisionLog({ store, audit, log, clock });
    this.policies = new PolicySet({ file: policyFile, store, labels: () => this.#labels(), log, clock });
    this.inbox = new AlertInbox({
      store,
      log,
      clock,
      record,
      serviceOf: (container) => {
        const { fleet: all } = acting;
        const hosts = new Set(all.views().map(({ host }) => host));
        return serviceOfNamed(chooseNamed(container, all.instances(), hosts));
      },
    });
    this.#answers = new AlertAnswers({
      inbox: this.inbox,
      services,
      fleet,
      instances: (service) => acting.loop.instances().get(service) ?? [],
      audit: record,
      decisions: this.decisions,
      backends: this.#backends,
      weightsOf: (service) => alertWeights(this.policyOf(service)),
    });
    this.#reader = new SourceReader(
      {
        haproxys,
        agents: () => registry.list(),
        instances: (service) => this.#sourceInstances(service),
        containers: dockerContainerStats((id) => acting.fleet.clientOf(id), clock),
        pushed: this.pushed,
      },
      clock,
    );
    this.loopParts = {
      reader: this.#reader,
      services: acting.services,
      decisions: this.decisions,
      instances: (service) => this.#instances(service),
      backendOf: (service) => this.#backends.backendOf(service),
      alerts: (service) => this.#answers.active(service),
      measuredBy: (fingerprint) => {
        const { metric, value } = this.inbox.row(fingerprint)?.signal ?? {};
        return { metric, value };
      },
      room: (service) => acting.room(service, () => this.#claimsAbove(service)),
      takeCreation: (service) => acting.loop.takeCreation(service),
      log,
      clock,
    };
    this.#loops = new PolicyLoops({
      policyOf: (service) => this.policyOf(service),
      loopParts: this.loopParts,
      forgetMetrics: (service, state) => this.decisions.forgetMetrics(service, state),
    });
  }

  /** The policy by which a service is scaled: its own, or, where alerts ask for something, one made of the alerts alone. */
  policyOf(service: string): EffectivePolicy | undefined {
    const own = this.policies.of(service);
    if (own !== undefined) return withAlerts(service, own, []);
    return withAlerts(service, undefined, this.#answers.bounds(service), this.#sizeOf(service));
  }

  /** All that are in force now, one for a service at most, as they run. */
  effective(): EffectivePolicy[] {
    return [...this.#services()].flatMap((service) => this.policyOf(service) ?? []);
  }

  /** Policies whose loop has not come to an end of an evaluation for too long, with the age. */
  stuckPolicies(): { policy: string; ageMs: number }[] {
    return this.#loops.stuck();
  }

  /** Age of the last evaluation of each policy, for metrics. */
  ages(): { policy: string; service: string; ageMs: number }[] {
    return this.#loops.ages();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const running = [this.policies.run(signal), this.inbox.run(signal), this.decisions.run(signal)];
    while (!signal.aborted) {
      await this.#loops.follow(this.#services(), signal);
      this.#answers.answer();
      await clock.sleep(followEveryMs, signal);
    }
    await Promise.all([this.#loops.ended(), ...running]);
    await this.decisions.save();
    await this.#reader.close();
  }

  /** Services that there are, and those that a policy names. */
  #services(): Set<string> {
    return new Set([
      ...this.#parts.acting.services.list().map(({ service }) => service),
      ...this.policies.effective().map(({ policy }) => policy.service),
    ]);
  }

  /** What live alerts ask of the plan. */
  alertRules(service: string): AlertRules {
    return this.#answers.rules(service);
  }

  #claimsAbove(service: string): RoomClaim[] {
    const others = this.#loops.inForce().flatMap((effective) => {
      const other = effective.policy.service;
      const record = this.decisions.last(other)?.record;
      return record === undefined ? [] : [{ service: other, priority: effective.priority, record }];
    });
    return claimsAbove(this.#loops.of(service)?.priority ?? 0, others);
  }

  #sizeOf(service: string): number {
    const { services, loop } = this.#parts.acting;
    return services.get(service)?.wanted ?? (loop.instances().get(service) ?? []).filter(isActive).length;
  }

  #labels(): PolicyLabels[] {
    const byService = new Map<string, PolicyLabels>();
    for (const { service, settings } of this.#parts.acting.fleet.instances()) {
      if (service === undefined) continue;
      const { policy, min, max } = settings;
      const known = byService.get(service);
      byService.set(service, {
        service,
        policy: known?.policy ?? policy,
        min: known?.min ?? min,
        max: known?.max ?? max,
      });
    }
    return [...byService.values()].filter(
      ({ policy, min, max }) => policy !== undefined || min !== undefined || max !== undefined,
    );
  }

  #instances(service: string): ReturnType<PolicyLoopParts['instances']> {
    const { acting } = this.#parts;
    if (acting.fleet.empty) return { known: false, why: 'no Docker Engine is configured or found' };
    const why = whyUnknown(acting.services.get(service), acting.fleet.views());
    if (why !== undefined) return { known: false, why };
    return { known: true, instances: acting.loop.instances().get(service) ?? [] };
  }

  #sourceInstances(service: string): SourceInstance[] {
    const { acting } = this.#parts;
    return (acting.loop.instances().get(service) ?? []).filter(isActive).map(({ id, name, agent }) => {
      const registrations = (agent === undefined ? undefined : acting.agents.get(agent))?.registrations ?? [];
      const addresses = registrations.map(({ address, port }) => `${address}:${port}`);
      return {
        id,
        container: id,
        names: [id.slice(0, 12), name, ...(agent === undefined ? [] : [agent]), ...addresses],
      };
    });
  }
}

/** What a policy makes of alerts that do not say how many instances they stand for. */
function alertWeights(policy: EffectivePolicy | undefined): AlertWeights {
  const target = policy?.policy.metrics.find((metric) => metric.target.kind === 'alert')?.target;
  return target?.kind === 'alert' ? { byName: target.byName, bySeverity: target.bySeverity } : {};
}

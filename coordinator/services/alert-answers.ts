// What live alerts ask of the services that there are, and what became of it. Level-triggered: all is asked anew each
// time, so that an alert acts for as long as it lives, also with a coordinator that began in the meantime.
import type { AlertDemand, AlertWeights } from '../alerts/alert-demand.ts';
import type { AlertInbox, LiveAlert } from '../alerts/alert-inbox.ts';
import type { InboxRow } from '../alerts/inbox-row.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import type { Alert } from '../decide/alerts.ts';
import type { AlertLike } from '../policy/with-alerts.ts';
import type { AlertRules } from './act-rules.ts';
import { AlertContainers, type Containers } from './alert-containers.ts';
import type { BackendIndex } from './backend-index.ts';
import { DecidedAlerts } from './decided-alerts.ts';
import type { DecisionLog } from './decision-log.ts';
import { byLabels } from './label-wishes.ts';
import { describeSeveral } from './named-container.ts';
import type { ServiceInstance } from './service-instance.ts';
import type { Services } from './services.ts';

export interface AlertAnswersParts {
  inbox: AlertInbox;
  services: Services;
  fleet: Containers;
  /** The instances of a service, as of the last look. */
  instances(service: string): readonly ServiceInstance[];
  decisions: Pick<DecisionLog, 'last' | 'changes'>;
  backends: Pick<BackendIndex, 'backendOf' | 'serviceCalled'>;
  weightsOf(service: string): AlertWeights;
  audit(entry: AuditEntry): void;
}

export class AlertAnswers {
  readonly #parts: AlertAnswersParts;
  readonly #decided: DecidedAlerts;
  readonly #containers: AlertContainers;

  constructor(parts: AlertAnswersParts) {
    this.#parts = parts;
    this.#decided = new DecidedAlerts(parts.decisions, parts.services);
    this.#containers = new AlertContainers(parts.inbox, parts.fleet);
  }

  /** For the deciding half. */
  active(service: string): Alert[] {
    const { inbox, weightsOf } = this.#parts;
    const weights = weightsOf(service);
    const refused = new Set(this.#refused(service).map(({ fingerprint }) => fingerprint));
    return this.#names(service)
      .flatMap((name) => inbox.active(name, weights))
      .filter(({ fingerprint }) => !refused.has(fingerprint));
  }

  /** The bounds of alerts that ask for a size. */
  bounds(service: string): AlertLike[] {
    return this.#demands(service).flatMap((demand) =>
      demand.kind === 'availability'
        ? []
        : [{ direction: demand.direction, min: demand.min, max: demand.max }],
    );
  }

  /** What the plan has to know besides the size. */
  rules(service: string): AlertRules {
    const demands = this.#demands(service);
    const nodes = demands.flatMap((demand) =>
      demand.kind === 'node' && this.#isHeeded(demand.fingerprint, service) ? demand : [],
    );
    const naming = demands.find(
      (demand) => demand.kind !== 'availability' && demand.direction === 'up',
    )?.naming;
    return {
      nodes: {
        clones: nodes.flatMap((demand) => {
          if (demand.direction !== 'up') return [];
          const meant = this.#containers.find(demand);
          const firing = this.#parts.inbox.row(demand.fingerprint)?.id;
          if (meant.kind !== 'one' || firing === undefined) return [];
          const { id, name, host } = meant.one;
          const { name: alert, step: count } = demand;
          return { firing, alert, count, model: { id, name, host }, naming: demand.naming };
        }),
        unwanted: nodes.flatMap((demand) => {
          if (demand.direction !== 'down') return [];
          const container = this.#containers.named(demand);
          return { container, before: this.#containers.knownSince(demand), alert: demand.name };
        }),
      },
      naming,
      availabilityAlert: demands.find(({ kind }) => kind === 'availability')?.name,
    };
  }

  /**
   * Settles what was asked for and has been answered since the last call. What was skipped may be taken up later, once a
   * pause, a cooldown or a window is over: the alert acts for as long as it lives.
   */
  answer(): void {
    const { inbox, services, backends } = this.#parts;
    const called = new Map<string, string | undefined>();
    for (const live of inbox.live()) {
      const { row, signal, service: name } = live;
      if (row.state === 'processed') continue;
      if (signal.ask.kind === 'named') {
        this.#answerNamed(row, name);
        continue;
      }
      if (name !== undefined && !called.has(name)) called.set(name, backends.serviceCalled(name));
      const service = name === undefined ? undefined : called.get(name);
      if (service === undefined) {
        this.#answerUnknown(live);
        continue;
      }
      const demand = inbox.demand(row.fingerprint, service);
      if (demand === undefined || services.get(service) === undefined) continue;
      const obstacle = this.#obstacle(demand);
      if (obstacle !== undefined) inbox.settle(row.fingerprint, 'failed', obstacle);
      else if (demand.kind === 'availability') this.#lookAfter(service, demand, row);
      else this.#answerScale(row, service);
    }
  }

  /** It names no service, or one that is not there. A coordinator that has just begun has not seen its services yet. */
  #answerUnknown({ row: { fingerprint }, signal: { container }, service }: LiveAlert): void {
    const { inbox, fleet } = this.#parts;
    if (service !== undefined) {
      if (fleet.empty || this.#containers.knowsAll())
        inbox.settle(fingerprint, 'failed', `no service ${service} is known`);
      return;
    }
    if (container === undefined || !this.#containers.knowsAll()) return;
    const meant = this.#containers.meant(container);
    const named = container.name ?? container.id;
    const why =
      meant.kind === 'several'
        ? describeSeveral(container, meant.all)
        : `no container ${named} of a known service is there: it is gone, or has neither an agent nor labels of Berth`;
    inbox.settle(fingerprint, 'failed', why);
  }

  #lookAfter(service: string, { name }: AlertDemand, row: InboxRow): void {
    const { services, inbox, instances, audit } = this.#parts;
    const state = services.get(service);
    const before = state?.wanted ?? null;
    const there = instances(service).filter(({ state: is, clone }) => isUp(is) || !clone).length;
    // What labels have let go of already is wanted again.
    const lost = state?.wantedBy === byLabels ? (state.beforeLoss?.wanted ?? 0) : 0;
    const kept = Math.max(before ?? Math.max(1, there), lost);
    if (kept !== before) {
      services.change(service, {
        wanted: kept,
        beforeLoss: null,
        wantedBy: `alert ${name}`,
        wantedReason: 'service_availability',
        wantedAlert: name,
        wantedFirings: [row.id],
      });
      audit({
        event: 'scale.decided',
        actor: `alert ${name}`,
        service,
        from: before ?? undefined,
        to: kept,
        reason: `service_availability: ${kept} instances are kept`,
        outcome: 'ok',
        alert: name,
      });
    }
    inbox.settle(row.fingerprint, 'processed', `${kept} instances are kept`);
  }

  /** One by name asks for nothing until a policy gives its name a meaning. */
  #answerNamed(row: InboxRow, name: string | undefined): void {
    const services =
      name === undefined
        ? this.#parts.services.list().map(({ service }) => service)
        : [this.#parts.backends.serviceCalled(name)].filter((service) => service !== undefined);
    for (const service of services)
      if (this.#decided.saw(this.#parts.decisions.last(service), row)) this.#answerScale(row, service);
  }

  /** Processed, when a decision that knew of it changed the size; skipped, while one was made and it stayed. */
  #answerScale(row: InboxRow, service: string): void {
    const { inbox, decisions, services } = this.#parts;
    const { fingerprint } = row;
    const acted = this.#decided.changeBy(row, service);
    if (acted === undefined && this.#decided.isBehindWanted(row, service)) {
      const { wanted } = services.get(service) ?? {};
      inbox.settle(fingerprint, 'processed', `${wanted} wanted, as was decided for it before`);
      return;
    }
    const last = decisions.last(service);
    const decided = acted ?? last;
    if (decided === undefined) return;
    const { from, to, reason, limits } = decided.record.outcome;
    const why = [reason, ...limits.filter((limit) => limit !== reason)].join(', ');
    if (acted !== undefined) inbox.settle(fingerprint, 'processed', `${from} to ${to}: ${why}`);
    else if (decided.at >= row.heardAt && this.#decided.saw(last, row))
      inbox.settle(fingerprint, 'skipped', `the size stays at ${to}: ${why}`);
  }

  /** The names by which alerts may call a service. */
  #names(service: string): string[] {
    const { backends } = this.#parts;
    const backend = backends.backendOf(service);
    return backend !== service && backends.serviceCalled(backend) === service
      ? [service, backend]
      : [service];
  }

  /** What can be acted on. */
  #demands(service: string): AlertDemand[] {
    return this.#all(service).filter((demand) => this.#obstacle(demand) === undefined);
  }

  #refused(service: string): AlertDemand[] {
    return this.#all(service).filter((demand) => this.#obstacle(demand) !== undefined);
  }

  #all(service: string): AlertDemand[] {
    return this.#names(service).flatMap((name) => this.#parts.inbox.demands(name));
  }

  /** One that has not changed the size takes no container away either. */
  #isHeeded(fingerprint: string, service: string): boolean {
    const row = this.#parts.inbox.row(fingerprint);
    if (row?.state !== 'skipped') return true;
    return this.#decided.isBehindWanted(row, service) || this.#decided.changeBy(row, service) !== undefined;
  }

  /** Why a demand about one container cannot be met; once it was, its container may well be gone. */
  #obstacle(demand: AlertDemand): string | undefined {
    if (demand.kind !== 'node') return undefined;
    const { inbox } = this.#parts;
    const row = inbox.row(demand.fingerprint);
    const service = this.#parts.backends.serviceCalled(demand.service);
    if (row === undefined || service === undefined || row.state === 'processed') return undefined;
    if (this.#decided.changeBy(row, service) !== undefined) return undefined;
    return this.#containers.obstacle(demand, service);
  }
}

const isUp = (state: string): boolean => state === 'running' || state === 'paused' || state === 'restarting';

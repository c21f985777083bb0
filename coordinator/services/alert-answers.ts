// What live alerts ask of the services that there are, and what became of it. Level-triggered: all is asked anew each
// time, so that an alert acts for as long as it lives, also with a coordinator that began in the meantime.
import type { AlertDemand, AlertWeights } from '../alerts/alert-demand.ts';
import type { AlertInbox } from '../alerts/alert-inbox.ts';
import type { Alert } from '../decide/alerts.ts';
import { alertsBehind } from '../decide/alerts-behind.ts';
import type { AlertLike } from '../policy/with-alerts.ts';
import type { Instance } from '../targets/docker/instance.ts';
import type { AlertRules } from './act-rules.ts';
import type { Acting } from './acting.ts';
import type { BackendIndex } from './backend-index.ts';
import type { DecisionLog, Evaluation } from './decision-log.ts';
import { isNamed } from './node-wishes.ts';

export interface AlertAnswersParts {
  inbox: AlertInbox;
  acting: Pick<Acting, 'services' | 'fleet' | 'loop'>;
  decisions: Pick<DecisionLog, 'last' | 'changes'>;
  backends: Pick<BackendIndex, 'backendOf' | 'serviceCalled'>;
  weightsOf(service: string): AlertWeights;
}

type NodeDemand = Extract<AlertDemand, { kind: 'node' }>;

export class AlertAnswers {
  readonly #parts: AlertAnswersParts;

  constructor(parts: AlertAnswersParts) {
    this.#parts = parts;
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
      demand.kind === 'availability' ? [] : [{ min: demand.min, max: demand.max }],
    );
  }

  /** What the plan has to know besides the size. */
  rules(service: string): AlertRules {
    const demands = this.#demands(service);
    const nodes = demands.filter((demand) => demand.kind === 'node' && this.#isHeeded(demand.fingerprint));
    const ups = nodes.flatMap((demand) =>
      demand.kind === 'node' && demand.direction === 'up' ? demand : [],
    );
    const downs = nodes.flatMap((demand) =>
      demand.kind === 'node' && demand.direction === 'down' ? demand : [],
    );
    const naming = demands.find(
      (demand) => demand.kind !== 'availability' && demand.direction === 'up',
    )?.naming;
    return {
      nodes: {
        clones: ups.flatMap((demand) => {
          const found = this.#find(demand);
          const firing = this.#parts.inbox.row(demand.fingerprint)?.id;
          if (found === undefined || firing === undefined) return [];
          const { id, name, host } = found;
          const { name: alert, step: count } = demand;
          return { firing, alert, count, model: { id, name, host }, naming: demand.naming };
        }),
        unwanted: downs.map((demand) => ({
          container: demand.container,
          before: this.#knownSince(demand),
          alert: demand.name,
        })),
      },
      naming,
      availabilityAlert: demands.find(({ kind }) => kind === 'availability')?.name,
    };
  }

  /** Settles what was asked for and has been answered since the last call. */
  answer(): void {
    const { inbox, acting } = this.#parts;
    const called = new Map<string, string | undefined>();
    for (const { row, signal, service: name } of inbox.live()) {
      if (row.state !== 'unprocessed' && row.state !== 'failed') continue;
      if (signal.ask.kind === 'named') {
        this.#answerNamed(row.fingerprint, row.heardAt, name);
        continue;
      }
      if (name !== undefined && !called.has(name)) called.set(name, this.#parts.backends.serviceCalled(name));
      const service = name === undefined ? undefined : called.get(name);
      if (service === undefined) {
        const container = signal.container?.name ?? signal.container?.id;
        // A coordinator that has just begun has not seen its services yet.
        if (name !== undefined && (acting.fleet.empty || this.#knowsAll()))
          inbox.settle(row.fingerprint, 'failed', `no service ${name} is known`);
        else if (name === undefined && container !== undefined && this.#knowsAll())
          inbox.settle(
            row.fingerprint,
            'failed',
            `no container ${container} of a known service is there: it is gone, or has neither an agent nor labels of Berth`,
          );
        continue;
      }
      const demand = inbox.demand(row.fingerprint, service);
      if (demand === undefined || acting.services.get(service) === undefined) continue;
      const obstacle = this.#obstacle(demand);
      if (obstacle !== undefined) inbox.settle(row.fingerprint, 'failed', obstacle);
      else if (demand.kind === 'availability') this.#lookAfter(service, demand);
      else this.#answerScale(row.fingerprint, service, row.heardAt);
    }
  }

  #lookAfter(service: string, { name, fingerprint }: AlertDemand): void {
    const { services, loop } = this.#parts.acting;
    const state = services.get(service);
    const known = (loop.instances().get(service) ?? []).filter(
      ({ state: is, clone }) => isUp(is) || !clone,
    ).length;
    const kept = state?.wanted ?? Math.max(1, known);
    if (state?.wanted === null) {
      const wantedBy = `alert ${name}`;
      services.change(service, {
        wanted: kept,
        wantedBy,
        wantedReason: 'service_availability',
        wantedAlert: name,
      });
    }
    this.#parts.inbox.settle(fingerprint, 'processed', `${kept} instances are kept`);
  }

  /** One by name asks for nothing until a policy gives its name a meaning. */
  #answerNamed(fingerprint: string, heardAt: number, name: string | undefined): void {
    const services =
      name === undefined
        ? this.#parts.acting.services.list().map(({ service }) => service)
        : [this.#parts.backends.serviceCalled(name)].filter((service) => service !== undefined);
    for (const service of services)
      if (this.#saw(this.#parts.decisions.last(service), fingerprint))
        this.#answerScale(fingerprint, service, heardAt);
  }

  /** Processed, when a decision that knew of it changed the size; skipped, when one was made and it stayed. */
  #answerScale(fingerprint: string, service: string, heardAt: number): void {
    const { inbox, decisions } = this.#parts;
    const last = decisions.last(service);
    const acted = this.#changeBy(fingerprint, service, heardAt);
    if (acted === undefined && this.#isBehindWanted(fingerprint, service)) {
      const { wanted } = this.#parts.acting.services.get(service) ?? {};
      inbox.settle(fingerprint, 'processed', `${wanted} wanted, as an earlier run has decided`);
      return;
    }
    if (acted === undefined && (last === undefined || last.at < heardAt || !this.#saw(last, fingerprint)))
      return;
    const decided = acted ?? last;
    if (decided === undefined) return;
    const { from, to, reason, limits } = decided.record.outcome;
    const why = [reason, ...limits.filter((limit) => limit !== reason)].join(', ');
    if (acted === undefined) inbox.settle(fingerprint, 'skipped', `the size stays at ${to}: ${why}`);
    else inbox.settle(fingerprint, 'processed', `${from} to ${to}: ${why}`);
  }

  /** The first decision that changed the size and had this alert before it. */
  #changeBy(fingerprint: string, service: string, heardAt: number): Evaluation | undefined {
    return this.#parts.decisions.changes(service).find((evaluation) => {
      const { record, at } = evaluation;
      return at >= heardAt && record.outcome.action !== 'none' && this.#isBehind(evaluation, fingerprint);
    });
  }

  /** The number that is wanted was set for this alert: known also to a coordinator that has not decided itself. */
  #isBehindWanted(fingerprint: string, service: string): boolean {
    const behind = this.#parts.acting.services.get(service)?.wantedAlert;
    const name = this.#parts.inbox.row(fingerprint)?.name;
    return name != null && (behind?.split(', ').includes(name) ?? false);
  }

  /** Where other metrics or an expression decided, every alert that was seen was taken up. */
  #isBehind(evaluation: Evaluation, fingerprint: string): boolean {
    const behind = alertsBehind(evaluation.record);
    return behind.length === 0
      ? this.#saw(evaluation, fingerprint)
      : behind.some((alert) => alert.fingerprint === fingerprint);
  }

  #saw(evaluation: Evaluation | undefined, fingerprint: string): boolean {
    const { target, alerts = [] } = evaluation?.record.inputs.observations ?? {};
    // Not knowing the size is no answer to anybody.
    return target?.ok === true && alerts.some((alert) => alert.fingerprint === fingerprint);
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

  /** One that did not change the size takes no container away either. */
  #isHeeded(fingerprint: string): boolean {
    return this.#parts.inbox.row(fingerprint)?.state !== 'skipped';
  }

  /** Why a demand about one container cannot be met; once it was, its container may well be gone. */
  #obstacle(demand: AlertDemand): string | undefined {
    if (demand.kind !== 'node') return undefined;
    const { inbox } = this.#parts;
    const row = inbox.row(demand.fingerprint);
    const service = this.#parts.backends.serviceCalled(demand.service);
    if (row === undefined || service === undefined || row.state === 'processed' || !this.#knowsAll())
      return undefined;
    if (this.#changeBy(demand.fingerprint, service, row.heardAt) !== undefined) return undefined;
    const named = demand.container.name ?? demand.container.id;
    const found = this.#find(demand);
    if (found === undefined)
      return `no container ${named} is there: it is gone, or has neither an agent nor labels of Berth`;
    if (found.service !== service)
      return `container ${named} is ${found.service === undefined ? 'of no service' : `of service ${found.service}`}, not of ${service}`;
    if (demand.direction === 'down' && found.protect)
      return `container ${named} is protected (berth.protect)`;
    return undefined;
  }

  #find(demand: NodeDemand): Instance | undefined {
    const before = this.#knownSince(demand);
    return this.#parts.acting.fleet
      .instances()
      .find((instance) => isNamed(demand.container, instance, before));
  }

  /** When the alert first came, by our own clock: that of its sender may be another. */
  #knownSince({ fingerprint, since }: NodeDemand): number {
    return this.#parts.inbox.row(fingerprint)?.receivedAt ?? since;
  }

  /** What is not listed is gone only when every host has answered. */
  #knowsAll(): boolean {
    const { fleet } = this.#parts.acting;
    return !fleet.empty && fleet.views().every(({ known }) => known);
  }
}

const isUp = (state: string): boolean => state === 'running' || state === 'paused' || state === 'restarting';

// Metrics for Prometheus, in a registry of their own. What can be read when Prometheus asks is read then; only what
// happens in between is counted as it happens.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { version } from '../shared/version.ts';
import type { AgentRecord } from './agents/agent-record.ts';
import type { Sessions } from './agents/sessions.ts';
import type { AuditStatus } from './audit/audit-writer.ts';
import type { HaproxyView, SlotView } from './slots/slot-view.ts';

export interface MetricSources {
  agents(): readonly AgentRecord[];
  slots(): readonly SlotView[];
  haproxys(): readonly HaproxyView[];
  sessions: Pick<Sessions, 'count' | 'counters'>;
  auditStatus(): AuditStatus;
  databaseUp(): boolean;
  /** Of each policy, how long ago it was last evaluated. */
  policyAges(): readonly { policy: string; service: string; ageMs: number }[];
  /** Instances by service, and how many are wanted. */
  services(): readonly { service: string; wanted: number | null; serving: number; active: number }[];
  dockerHosts(): readonly { host: string; known: boolean }[];
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #rounds: Histogram<'haproxy' | 'outcome'>;
  readonly #repairs: Counter<'haproxy' | 'kind' | 'outcome'>;

  constructor() {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry, prefix: 'berth_' });
    this.#rounds = new Histogram({
      name: 'berth_round_duration_seconds',
      help: 'One look at an HAProxy, with what was repaired in it',
      labelNames: ['haproxy', 'outcome'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    });
    this.#repairs = new Counter({
      name: 'berth_repairs_total',
      help: 'Steps taken on slots, by kind and outcome',
      labelNames: ['haproxy', 'kind', 'outcome'],
      registers,
    });
    new Gauge({ name: 'berth_build_info', help: 'Version', labelNames: ['version'], registers }).set(
      { version },
      1,
    );
  }

  /** For the slot keeper: a round took `ms` milliseconds. */
  readonly round = (haproxy: string, ms: number, outcome: string): void => {
    this.#rounds.observe({ haproxy, outcome }, ms / 1000);
  };

  /** For the slot keeper: a step on a slot. */
  readonly repaired = (haproxy: string, kind: string, outcome: string): void => {
    this.#repairs.inc({ haproxy, kind, outcome });
  };

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Adds what is read at each scrape. */
  watch(sources: MetricSources): void {
    const { sessions } = sources;
    this.#gauge('berth_agents', 'Agents that are known', ['phase', 'connected'], () =>
      countBy(sources.agents(), ({ phase, connected }) => ({ phase, connected: String(connected) })),
    );
    this.#gauge('berth_slots', 'Slots as last seen', ['haproxy', 'backend', 'state'], () =>
      countBy(sources.slots(), ({ haproxy, backend, state }) => ({ haproxy, backend, state })),
    );
    this.#gauge('berth_haproxy_up', 'Whether the last look at an HAProxy was answered', ['haproxy'], () =>
      sources
        .haproxys()
        .map(({ name, reachable }) => ({ labels: { haproxy: name }, value: Number(reachable) })),
    );
    this.#gauge('berth_agent_sessions', 'Open WebSocket connections', [], () => only(sessions.count));
    this.#gauge('berth_audit_queued_rows', 'Audit rows that are in memory only', [], () =>
      only(sources.auditStatus().queued),
    );
    this.#gauge('berth_audit_journal_bytes', 'Audit rows that wait in the journal for the database', [], () =>
      only(sources.auditStatus().journalledBytes),
    );
    this.#gauge('berth_database_up', 'Whether the last use of the database succeeded', [], () =>
      only(Number(sources.databaseUp())),
    );
    const byPolicy = () =>
      sources
        .policyAges()
        .map(({ policy, service, ageMs }) => ({ labels: { policy, service }, value: ageMs / 1000 }));
    this.#gauge(
      'berth_policy_decision_age_seconds',
      'Since the last evaluation of a policy',
      ['policy', 'service'],
      byPolicy,
    );
    this.#gauge(
      'berth_service_instances',
      'Instances of a service: wanted, active, serving',
      ['service', 'kind'],
      () =>
        sources
          .services()
          .flatMap(({ service, wanted, active, serving }) => [
            ...(wanted === null ? [] : [{ labels: { service, kind: 'wanted' }, value: wanted }]),
            { labels: { service, kind: 'active' }, value: active },
            { labels: { service, kind: 'serving' }, value: serving },
          ]),
    );
    this.#gauge('berth_docker_up', 'Whether the last listing of a Docker host succeeded', ['host'], () =>
      sources.dockerHosts().map(({ host, known }) => ({ labels: { host }, value: Number(known) })),
    );
    this.#counter('berth_agent_messages_total', 'Messages from agents', () => sessions.counters.messages);
    this.#counter(
      'berth_sessions_welcomed_total',
      'Sessions that said hello',
      () => sessions.counters.welcomed,
    );
    this.#counter(
      'berth_sessions_rejected_total',
      'Sessions ended for what they sent',
      () => sessions.counters.rejected,
    );
    this.#counter(
      'berth_sessions_unauthorized_total',
      'Connections refused for their token',
      () => sessions.counters.unauthorized,
    );
    this.#counter(
      'berth_audit_lost_rows_total',
      'Audit rows refused: in the log only',
      () => sources.auditStatus().lost,
    );
  }

  #gauge(name: string, help: string, labelNames: string[], read: () => Reading[]): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.set(labels, value);
      },
    });
  }

  #counter(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
}

interface Reading {
  labels: Record<string, string>;
  value: number;
}

function only(value: number): Reading[] {
  return [{ labels: {}, value }];
}

function countBy<T>(items: readonly T[], labelsOf: (item: T) => Record<string, string>): Reading[] {
  const readings = new Map<string, Reading>();
  for (const item of items) {
    const labels = labelsOf(item);
    const key = JSON.stringify(labels);
    const reading = readings.get(key) ?? { labels, value: 0 };
    reading.value += 1;
    readings.set(key, reading);
  }
  return [...readings.values()];
}

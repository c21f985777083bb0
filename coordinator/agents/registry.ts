// Every agent that the coordinator knows of, in memory; the database keeps a copy for the next start
// (agent-saver.ts).
//
//   unknown ──hello──► greeted ──heartbeat──► connected ──goodbye──► left
//                         ▲                    │     ▲
//                         └────── hello ───────┴─lost┘
//
// A hello says who an agent is, a heartbeat how it stands. Until the first heartbeat of a session what was known before
// stays: the agent may be a new process in an old container, and the old one's phase and slots are not its own.
// At each hello the agent is told whether it is wanted out of traffic, so that a drain holds over sessions and over
// restarts of either side, and no longer than that. Listeners are called for changes that matter to others, never for a heartbeat that says the same as the last one.
import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { Drain, Heartbeat, Hello, RegistrationReport } from '../../shared/protocol.ts';
import type { Audit } from '../audit/audit.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import { auditEntryOf } from './agent-event.ts';
import type { AgentRecord } from './agent-record.ts';

/** What the registry wants of a session. */
export interface AgentLink {
  tell(message: Drain): void;
  /** Another session of the same agent has taken its place. */
  replace(): void;
}

interface Entry {
  record: { -readonly [K in keyof AgentRecord]: AgentRecord[K] };
  link: AgentLink | undefined;
  /** Wall time of the last event that the agent told. */
  toldAt: number;
}

/** The ways of two heartbeats take differently long; by more than this only a clock that was set differs. */
const jitterMs = 5000;

export type RegistryListener = (id: string) => void;

export class AgentRegistry {
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<RegistryListener>();
  readonly #parked = new Set<string>();
  readonly #audit: Pick<Audit, 'record'>;
  readonly #log: Log;
  readonly #clock: Clock;
  /** What an earlier run told its agents is known. */
  #restored = false;

  constructor(options: { audit: Pick<Audit, 'record'>; log: Log; clock: Clock }) {
    this.#audit = options.audit;
    this.#log = options.log;
    this.#clock = options.clock;
  }

  /** Live records: they change with the next message. */
  list(): readonly AgentRecord[] {
    return Array.from(this.#entries.values(), (entry) => entry.record);
  }

  get(id: string): AgentRecord | undefined {
    return this.#entries.get(id)?.record;
  }

  /** Calls `listener` after each change that is more than a sign of life. Returns the way to stop that. */
  onChange(listener: RegistryListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes in what an earlier run knew; an agent that has been heard since is left as it is. */
  restore(records: readonly AgentRecord[]): void {
    this.#restored = true;
    for (const record of records) {
      if (this.#entries.has(record.id)) continue;
      this.#entries.set(record.id, { record: { ...record }, link: undefined, toldAt: 0 });
      this.#changed(record.id);
    }
  }

  /** A session has said who it is. */
  greet(hello: Hello, link: AgentLink): void {
    const now = this.#clock.monotonic();
    const wall = this.#clock.wall();
    const { service, container, hostname } = hello;
    const entry = this.#entries.get(hello.agent);
    if (entry === undefined) {
      const record: AgentRecord = {
        id: hello.agent,
        service,
        container,
        hostname,
        connected: false,
        phase: 'starting',
        registrations: [],
        metrics: {},
        lastHeardAt: now,
        lostAt: undefined,
        goodbyeReason: undefined,
        firstSeen: wall,
        lastSeen: wall,
      };
      this.#entries.set(hello.agent, { record, link, toldAt: 0 });
    } else {
      if (entry.link !== undefined) entry.link.replace();
      entry.link = link;
      Object.assign(entry.record, { service, container, hostname, lastHeardAt: now, lastSeen: wall });
    }
    this.#tellWish(entry?.record.drainReason, link);
    this.#changed(hello.agent);
  }

  /** An agent beats. Called thousands of times a second: what has not changed costs two writes and a comparison. */
  beat(id: string, link: AgentLink, beat: Heartbeat): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.link !== link) return;
    const { record } = entry;
    const now = this.#clock.monotonic();
    record.lastHeardAt = now;
    record.lastSeen = this.#clock.wall();
    if (beat.metrics !== undefined) record.metrics = datedMetrics(beat.metrics, now);
    const service = beat.service ?? record.service;
    const moved =
      record.phase !== beat.phase ||
      record.service !== service ||
      !sameRegistrations(record.registrations, beat.registrations);
    if (moved) {
      record.phase = beat.phase;
      record.service = service;
      record.registrations = beat.registrations;
    }
    const arrived = !record.connected;
    if (arrived) {
      record.connected = true;
      record.lostAt = undefined;
      record.goodbyeReason = undefined;
      this.#say(record, { event: 'agent.connected', reason: `agent ${id} beats`, to: record.phase });
    }
    for (const event of beat.events ?? []) {
      // An agent tells its events in their order, which their times must not turn round.
      const at = record.lastSeen - event.ageMs;
      entry.toldAt = at < entry.toldAt && entry.toldAt - at < jitterMs ? entry.toldAt : at;
      this.#audit.record(auditEntryOf(event, record, entry.toldAt));
    }
    if (moved || arrived) this.#changed(id);
  }

  /** A sign of life that says nothing else. */
  heard(id: string, link: AgentLink): void {
    const entry = this.#entries.get(id);
    if (entry?.link === link) entry.record.lastHeardAt = this.#clock.monotonic();
  }

  leave(id: string, link: AgentLink, reason: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.link !== link) return;
    const { record } = entry;
    entry.link = undefined;
    record.connected = false;
    record.drainReason = undefined;
    record.goodbyeReason = reason;
    record.lastHeardAt = this.#clock.monotonic();
    record.lastSeen = this.#clock.wall();
    this.#say(record, { event: 'agent.left', reason });
    this.#changed(id);
  }

  /** A session has ended without a goodbye. */
  lose(id: string, link: AgentLink, reason: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.link !== link) return;
    const { record } = entry;
    entry.link = undefined;
    record.connected = false;
    record.lostAt = this.#clock.monotonic();
    this.#say(record, { event: 'agent.lost', reason });
    this.#changed(id);
  }

  /**
   * Tells an agent to leave traffic, or to come back. False when it has no session: it is then told nothing now, and that
   * it is not wanted out of traffic any more with its next hello.
   */
  drain(id: string, drain: boolean, reason: string): boolean {
    const entry = this.#entries.get(id);
    if (entry?.link === undefined) {
      if (entry?.record.drainReason !== undefined && !drain) {
        entry.record.drainReason = undefined;
        this.#changed(id);
      }
      return false;
    }
    entry.record.drainReason = drain ? reason : undefined;
    entry.link.tell({ type: 'drain', drain, reason });
    this.#changed(id);
    return true;
  }

  /** A parked agent is frozen with its container: its silence means nothing, and its session is kept. */
  setParked(id: string, parked: boolean): void {
    if (parked) this.#parked.add(id);
    else this.#parked.delete(id);
  }

  isParked(id: string): boolean {
    return this.#parked.has(id);
  }

  /** Drops what is known of an agent that has no session. */
  forget(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.link !== undefined) return;
    this.#entries.delete(id);
    this.#changed(id);
  }

  /** While it is not known what an earlier run has told, no agent is called back into traffic. */
  #tellWish(drainReason: string | undefined, link: AgentLink): void {
    if (drainReason !== undefined) link.tell({ type: 'drain', drain: true, reason: drainReason });
    else if (this.#restored) link.tell({ type: 'drain', drain: false, reason: 'no drain is wanted' });
  }

  #say(record: AgentRecord, what: Pick<AuditEntry, 'event' | 'reason' | 'to'>): void {
    const { id, service, container, hostname } = record;
    this.#log.info(
      { ...what, agent: id, service, container },
      `${what.event.replace('.', ' ')}: ${id}: ${what.reason}`,
    );
    const about = { agent: id, service, container, host: hostname };
    this.#audit.record({ ...what, ...about, actor: 'coordinator', outcome: 'ok' });
  }

  #changed(id: string): void {
    for (const listener of this.#listeners) listener(id);
  }
}

function datedMetrics(metrics: NonNullable<Heartbeat['metrics']>, now: number): AgentRecord['metrics'] {
  const dated: Record<string, { value: number; at: number }> = {};
  for (const name in metrics) {
    const metric = metrics[name];
    if (metric !== undefined) dated[name] = { value: metric.value, at: now - metric.ageMs };
  }
  return dated;
}

function sameRegistrations(a: readonly RegistrationReport[], b: readonly RegistrationReport[]): boolean {
  return a.length === b.length && a.every((registration, index) => same(registration, b[index]));
}

function same(a: RegistrationReport, b: RegistrationReport | undefined): boolean {
  return (
    a.state === b?.state &&
    a.slot === b.slot &&
    a.address === b.address &&
    a.port === b.port &&
    a.backend === b.backend &&
    a.haproxy === b.haproxy &&
    a.dynamic === b.dynamic &&
    a.error === b.error
  );
}

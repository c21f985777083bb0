// The agents as the rest of the coordinator sees them: those that have registered, with what Berth itself has ordered of
// an instance whose agent can't be told (a hung agent, or none at all).
//
// A container with labels only and no agent (REQUIREMENTS 2) is given a record here as if it had one: its phase is what
// a TCP probe and Docker say. The slot keeper then gives it a slot, drains it and takes the slot back like any other.
import type { Clock } from '../../shared/clock.ts';
import type { Phase, RegistrationReport } from '../../shared/protocol.ts';
import type { AgentRecord } from '../agents/agent-record.ts';
import type { AgentRegistry } from '../agents/registry.ts';
import type { Instance } from '../targets/docker/instance.ts';

/** An agent answers a word to it within milliseconds. */
const seenMs = 2000;
/** A HAProxy that is away just now still has slots of those that have left when it is back. */
const leftKeptMs = 600_000;

/** What is known of a container that has no agent. */
export interface Unattended {
  instance: Instance;
  /** Undefined while it has no address on the network. */
  address: string | undefined;
  port: number;
  answers: boolean;
}

export class FleetAgents {
  readonly #registry: AgentRegistry;
  readonly #clock: Clock;
  readonly #ordered = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #unattended: readonly AgentRecord[] = [];
  #standIns: ReadonlySet<string> = new Set();
  #version = 0;
  #haproxys: readonly string[] = [];

  constructor(registry: AgentRegistry, clock: Clock) {
    this.#registry = registry;
    this.#clock = clock;
    registry.onChange((id) => {
      // An agent that says so itself needs no order, and one that is back has been told by its session.
      if (registry.get(id)?.phase === 'draining') this.#ordered.delete(id);
      this.#changed();
    });
  }

  /** Another one after each change of who there is, of a phase or of a registration. */
  get version(): number {
    return this.#version;
  }

  list(): readonly AgentRecord[] {
    const registered = this.#registry.list();
    const records = this.#unattended.length === 0 ? registered : [...registered, ...this.#unattended];
    if (this.#ordered.size === 0) return records;
    return records.map((record) =>
      this.#ordered.has(record.id) && record.phase === 'ready' ? { ...record, phase: 'draining' } : record,
    );
  }

  get(id: string): AgentRecord | undefined {
    return this.#registry.get(id) ?? this.#unattended.find((record) => record.id === id);
  }

  /** Whether this id stands for a container without an agent. */
  attends(id: string): boolean {
    return this.#unattended.some((record) => record.id === id && record.goodbyeReason === undefined);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Out of traffic, or back. The agent does it itself where it can be told; else the slot keeper does. */
  drain(id: string, drain: boolean, reason: string): void {
    const told = this.#registry.drain(id, drain, reason);
    this.#order(id, drain && !told);
  }

  /**
   * As `drain`, and resolves when it shows in what `list` says, so that the next plan counts it. An agent that was told
   * and does not say so in time is hung: then the slot keeper does it.
   */
  async drainAndSee(id: string, drain: boolean, reason: string, signal: AbortSignal): Promise<void> {
    this.drain(id, drain, reason);
    const deadline = this.#clock.monotonic() + seenMs;
    while (!signal.aborted && this.#clock.monotonic() < deadline) {
      const phase = this.list().find((record) => record.id === id)?.phase;
      if (phase === undefined || (phase === 'draining') === drain) return;
      await this.#clock.sleep(5, signal);
    }
    if (drain) this.#order(id, true);
  }

  #order(id: string, ordered: boolean): void {
    if (ordered) this.#ordered.add(id);
    else this.#ordered.delete(id);
    this.#changed();
  }

  /** Agent id of a container: its agent's, or the one that stands for it. */
  agentOf(instance: Instance): string | undefined {
    if (instance.agentId !== undefined) return instance.agentId;
    const id = standIn(instance.id);
    return this.#standIns.has(id) ? id : undefined;
  }

  /** Takes in what is known of containers without an agent. */
  attend(unattended: readonly Unattended[], haproxys: readonly string[]): void {
    const known = new Map(this.#unattended.map((record) => [record.id, record]));
    const seen = new Set<string>();
    this.#haproxys = haproxys;
    const records = unattended.map((each) => {
      seen.add(standIn(each.instance.id));
      const before = known.get(standIn(each.instance.id));
      // One that has left and is back begins anew.
      return this.#record(each, before?.goodbyeReason === undefined ? before : undefined);
    });
    // One that is gone has said goodbye: its slot is given back. It is remembered for as long as that may take.
    const now = this.#clock.monotonic();
    const gone = this.#unattended.filter(
      ({ id, lastHeardAt }) => !seen.has(id) && now - (lastHeardAt ?? now) < leftKeptMs,
    );
    const left = gone.map(
      (record): AgentRecord =>
        record.goodbyeReason === undefined
          ? { ...record, connected: false, phase: 'stopping', goodbyeReason: 'its container has ended' }
          : record,
    );
    const next = [...records, ...left];
    const text = (list: readonly AgentRecord[]) =>
      JSON.stringify(
        list.map(({ id, connected, phase, registrations }) => [id, connected, phase, registrations]),
      );
    // What it was told ends with it: somebody who starts it again wants it in traffic.
    for (const { id } of left) this.#ordered.delete(id);
    const changed = text(next) !== text(this.#unattended);
    this.#unattended = next;
    this.#standIns = new Set(next.map(({ id }) => id));
    if (changed) this.#changed();
  }

  #record({ instance, address, port, answers }: Unattended, before: AgentRecord | undefined): AgentRecord {
    const { id, service, hostname, settings } = instance;
    const phase: Phase = answers
      ? 'ready'
      : before === undefined || before.phase === 'starting'
        ? 'starting'
        : 'unready';
    const own = settings.haproxy?.split(',').map((name) => name.trim());
    const names = this.#haproxys.filter((name) => own === undefined || own.includes(name));
    const registration = (haproxy: string): RegistrationReport => ({
      haproxy,
      port,
      state: 'none',
      ...(address === undefined ? {} : { address }),
      ...(settings.backend === undefined ? {} : { backend: settings.backend }),
    });
    return {
      id: standIn(id),
      service,
      container: id,
      hostname,
      connected: true,
      phase,
      registrations: (names.length > 0 ? names : this.#haproxys).map(registration),
      metrics: {},
      lastHeardAt: this.#clock.monotonic(),
      lostAt: undefined,
      goodbyeReason: undefined,
      firstSeen: before?.firstSeen ?? this.#clock.wall(),
      lastSeen: this.#clock.wall(),
    };
  }

  #changed(): void {
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }
}

const standIn = (container: string): string => `docker:${container.slice(0, 12)}`;

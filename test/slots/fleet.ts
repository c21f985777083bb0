// A fleet in one process: little HTTP servers as apps on loopback addresses of their own, an agent's registration for
// each at each HAProxy, and the coordinator's keeper. The registry is an array, kept in step with the registrations as
// heartbeats would; a test cuts the wire between an agent and the coordinator by `hear: false`.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { Registration, type RegistrationSettings } from '../../agent/registration.ts';
import type { AgentRecord } from '../../coordinator/agents/agent-record.ts';
import type { AuditEntry } from '../../coordinator/audit/audit-entry.ts';
import { SlotKeeper } from '../../coordinator/slots/slot-keeper.ts';
import { systemClock } from '../../shared/clock.ts';
import { commands } from '../../shared/haproxy/commands.ts';
import type { Endpoint } from '../../shared/haproxy/endpoint.ts';
import { createRuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { parseServersState, type ServerRow } from '../../shared/haproxy/servers-state.ts';
import { freeSlots, isEnabled, isInMaintenance, slotsOf } from '../../shared/haproxy/slots.ts';
import type { AgentEvent, Phase } from '../../shared/protocol.ts';
import type { Haproxy } from '../bench/haproxy.ts';
import { until } from '../bench/wait.ts';

const silentLog = { debug() {}, info() {}, warn() {}, error() {} };

export const endpointOf = ({ address, cliPort }: Haproxy): Endpoint => ({
  name: `${address}:${cliPort}`,
  host: address,
  port: cliPort,
});

export interface InstanceOptions extends Partial<RegistrationSettings> {
  /** Whether an app answers at its address; default true. */
  app?: boolean;
  phase?: Phase;
}

/** One app container: its app, its agent, and what the coordinator knows of it. */
export class Instance {
  readonly address: string;
  readonly events: AgentEvent[] = [];
  readonly registrations: readonly Registration[];
  port = 0;
  /** What the agent says of itself; `hear` false: its words do not reach the coordinator. */
  phase: Phase = 'ready';
  hear = true;
  goodbye: string | undefined;
  readonly #fleet: Fleet;
  readonly #server: Server | undefined;
  readonly #stop = new AbortController();
  readonly #runs: Promise<unknown>[] = [];
  #heard: AgentRecord | undefined;
  #lostAt: number | undefined;

  private constructor(
    fleet: Fleet,
    address: string,
    server: Server | undefined,
    registrations: Registration[],
  ) {
    this.#fleet = fleet;
    this.address = address;
    this.#server = server;
    this.registrations = registrations;
  }

  static async start(fleet: Fleet, address: string, options: InstanceOptions = {}): Promise<Instance> {
    const { app = true, phase = 'ready', ...settings } = options;
    const server = app ? createServer((_, response) => response.end(address)) : undefined;
    let port = settings.port ?? 0;
    if (server !== undefined) {
      server.listen(port, address);
      await once(server, 'listening');
      const bound = server.address();
      port = bound === null || typeof bound === 'string' ? 0 : bound.port;
    }
    const registrations: Registration[] = [];
    const instance = new Instance(fleet, address, server, registrations);
    instance.port = port;
    instance.phase = phase;
    for (const haproxy of fleet.haproxys) {
      const registration = new Registration(
        {
          endpoint: endpointOf(haproxy),
          nodeCount: fleet.slots,
          parameters: fleet.parameters,
          slotPrefix: 'node',
          backend: 'app',
          host: address,
          id: `agent-${address}`,
          gate: 'app',
          stateFile: undefined,
          ...settings,
          port,
        },
        {
          log: silentLog,
          clock: systemClock,
          onChange: () => fleet.changed(),
          onEvent: (event) => instance.events.push(event),
        },
      );
      registration.attended = fleet.isKept;
      registrations.push(registration);
      instance.#runs.push(registration.run(instance.#stop.signal));
    }
    fleet.instances.push(instance);
    if (phase === 'ready') instance.want('ready');
    return instance;
  }

  want(wanted: 'ready' | 'drain', reason = 'the test says so'): void {
    this.phase = wanted === 'ready' ? 'ready' : 'draining';
    for (const registration of this.registrations) registration.want(wanted, reason);
    this.#fleet.changed();
  }

  get record(): AgentRecord {
    const now = performance.now();
    if (this.hear) {
      this.#lostAt = undefined;
      const registrations = this.registrations.map((registration) => registration.report());
      this.#heard = {
        id: `agent-${this.address}`,
        service: 'app',
        container: undefined,
        hostname: undefined,
        connected: this.goodbye === undefined,
        phase: this.phase,
        registrations,
        metrics: {},
        lastHeardAt: now,
        lostAt: undefined,
        goodbyeReason: this.goodbye,
        firstSeen: 0,
        lastSeen: Date.now(),
      };
      if (this.goodbye !== undefined) this.hear = false;
      return this.#heard;
    }
    this.#lostAt ??= now;
    if (this.#heard === undefined) throw new Error('nothing was heard of it yet');
    const lostAt = this.goodbye === undefined ? this.#lostAt : undefined;
    return { ...this.#heard, connected: false, lostAt };
  }

  /** In order: drained, given back, goodbye. */
  async leave(): Promise<void> {
    this.phase = 'stopping';
    this.#fleet.changed();
    await Promise.all(this.registrations.map((each) => each.drained(5000, this.#stop.signal)));
    await this.stopApp();
    for (const registration of this.registrations) registration.want('gone', 'stopping');
    await Promise.all(this.#runs);
    this.goodbye = 'stopping';
    this.#fleet.changed();
  }

  /** kill -9 of the agent: no more looks, no more words. Its app may live on. */
  async killAgent(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#runs);
    this.hear = false;
  }

  async stopApp(): Promise<void> {
    if (this.#server?.listening !== true) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#runs);
    await this.stopApp();
  }
}

export class Fleet implements AsyncDisposable {
  readonly haproxys: readonly Haproxy[];
  readonly slots: number;
  readonly instances: Instance[] = [];
  readonly audit: AuditEntry[] = [];
  /** Rounds of the keeper, by HAProxy. */
  readonly rounds = new Map<string, number>();
  /** Of servers that are added; undefined: a template has the slots. */
  readonly parameters: string | undefined;
  keeper: SlotKeeper | undefined;
  readonly #listeners = new Set<() => void>();
  #stopKeeper = async () => {};

  constructor(haproxys: readonly Haproxy[], slots: number, parameters?: string) {
    this.haproxys = haproxys;
    this.slots = slots;
    this.parameters = parameters;
  }

  get isKept(): boolean {
    return this.keeper !== undefined;
  }

  /** A heartbeat arrives at once when something has changed. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Starts a coordinator's keeper; agents rest while there is one. */
  keep(endpoints: readonly Endpoint[] = this.haproxys.map(endpointOf), intervalMs = 100): SlotKeeper {
    const stop = new AbortController();
    const keeper = new SlotKeeper({
      haproxys: endpoints,
      slotPrefix: 'node',
      intervalMs,
      registry: {
        list: () => this.instances.map(({ record }) => record),
        onChange: (listener) => {
          this.#listeners.add(listener);
          return () => this.#listeners.delete(listener);
        },
      },
      audit: {
        record: async (entry) => {
          this.audit.push(entry);
        },
      },
      log: silentLog,
      clock: systemClock,
      onRound: (haproxy) => this.rounds.set(haproxy, (this.rounds.get(haproxy) ?? 0) + 1),
    });
    this.keeper = keeper;
    const ended = keeper.run(stop.signal);
    this.#attend(true);
    this.#stopKeeper = async () => {
      stop.abort();
      await ended;
      this.keeper = undefined;
    };
    return keeper;
  }

  /** The coordinator is killed. */
  async stopKeeping(): Promise<void> {
    await this.#stopKeeper();
    this.#attend(false);
  }

  #attend(attended: boolean): void {
    for (const { registrations } of this.instances)
      for (const each of registrations) each.attended = attended;
  }

  /** Starts `count` instances at 127.0.0.<from>… and waits until each serves everywhere. */
  async start(count: number, from = 10): Promise<Instance[]> {
    const started = await Promise.all(
      Array.from({ length: count }, (_, index) => Instance.start(this, `127.0.0.${from + index}`)),
    );
    await this.settled();
    return started;
  }

  /** Waits until row 78's invariant holds, and every agent knows its slot. */
  async settled(): Promise<void> {
    await this.whole();
    const staying = this.instances.filter(({ goodbye }) => goodbye === undefined);
    const all = staying.flatMap(({ registrations }) => registrations);
    await until(() => all.every((each) => each.report().slot !== undefined), {
      what: 'every agent knows its slot',
    });
  }

  async rows(haproxy = this.haproxys[0]): Promise<ServerRow[]> {
    if (haproxy === undefined) throw new Error('no HAProxy');
    const { replies } = await createRuntimeApi(endpointOf(haproxy)).transact([
      commands.showServersState('app'),
    ]);
    return replies.flatMap((reply) => parseServersState(reply));
  }

  /** How many rounds the keeper has done since, for what must not happen in them. */
  async keeperRounds(count: number, haproxy = this.haproxys[0]): Promise<void> {
    const name = haproxy === undefined ? '' : endpointOf(haproxy).name;
    const from = this.rounds.get(name) ?? 0;
    await until(() => (this.rounds.get(name) ?? 0) >= from + count, {
      what: `${count} more rounds of the keeper`,
    });
  }

  /** Row 78's invariant, now; the empty text when it holds. */
  async fault(haproxy = this.haproxys[0]): Promise<string> {
    const rows = slotsOf(
      await this.rows(haproxy),
      this.parameters === undefined
        ? { backend: 'app', prefix: 'node', count: this.slots }
        : { backend: 'app', dynamic: true },
    );
    const free = new Set(freeSlots(rows));
    const apps = new Map(
      this.instances
        .filter(({ phase, goodbye }) => phase === 'ready' && goodbye === undefined)
        .map((instance) => [`${instance.address}:${instance.port}`, 0]),
    );
    for (const row of rows) {
      const key = `${row.address}:${row.port}`;
      if (isInMaintenance(row)) {
        if (!free.has(row)) return `${row.name} is in maintenance with ${key}`;
      } else if (isEnabled(row)) {
        const seen = apps.get(key);
        if (seen === undefined) return `${row.name} is ready with ${key}, which is nobody's`;
        apps.set(key, seen + 1);
      }
    }
    const wrong = [...apps].filter(([, count]) => count !== 1);
    return wrong.map(([key, count]) => `${key} has ${count} ready slots`).join(', ');
  }

  /** Waits until row 78's invariant holds everywhere; returns the milliseconds that it took. */
  async whole(deadlineMs = 10_000, haproxys = this.haproxys): Promise<number> {
    const started = performance.now();
    for (const haproxy of haproxys) {
      let fault = '';
      const holds = until(
        async () => {
          fault = await this.fault(haproxy);
          return fault === '';
        },
        { what: `every instance has its slot`, deadlineMs, everyMs: 5 },
      );
      await holds.catch((cause: unknown) => {
        const reports = this.instances.flatMap(({ registrations }) =>
          registrations.map((each) => each.report()),
        );
        const waiting = reports.filter(({ state, error }) => state !== 'ready' || error !== undefined);
        const said = waiting.slice(0, 5).map((report) => JSON.stringify(report));
        throw new Error([`after ${deadlineMs} ms: ${fault}`, ...said].join('\n'), { cause });
      });
    }
    return performance.now() - started;
  }

  /** The audit's rows of these events since `from`, as `event backend/slot`. */
  audited(events: RegExp, from = 0): string[] {
    return this.audit
      .slice(from)
      .filter(({ event }) => events.test(event))
      .map(({ event, backend, slot }) => `${event}${slot === undefined ? '' : ` ${backend}/${slot}`}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stopKeeper();
    await Promise.all(this.instances.map((instance) => instance.end()));
    await Promise.all(this.haproxys.map((haproxy) => haproxy[Symbol.asyncDispose]()));
  }
}

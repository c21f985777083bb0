// Joins what Docker, the agents and HAProxy say of each container into instances by service. Pure; what must be
// remembered between two looks (since when an instance is not serving, since when it drains) goes in and comes out.
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import { isDown, isEnabled } from '../../shared/haproxy/slots.ts';
import type { AgentRecord } from '../agents/agent-record.ts';
import type { Instance } from '../targets/docker/instance.ts';
import type { HostObservation } from '../targets/docker/observation.ts';
import type { ServiceInstance } from './service-instance.ts';

/** Monotonic times, by container id. */
export interface InstanceMemory {
  /** First seen: no other clock has a say in how long ago that was. */
  seenSince: ReadonlyMap<string, number>;
  servingSince: ReadonlyMap<string, number>;
  notServingSince: ReadonlyMap<string, number>;
  drainingSince: ReadonlyMap<string, number>;
}

export const emptyMemory: InstanceMemory = {
  seenSince: new Map(),
  servingSince: new Map(),
  notServingSince: new Map(),
  drainingSince: new Map(),
};

/** Should serve, or is being deleted. Docker's restarts count too: what flaps between two states does not begin anew. */
const isCounted = (state: Instance['state']) =>
  state === 'running' || state === 'restarting' || state === 'removing';

export interface Sightings {
  hosts: readonly HostObservation[];
  agents: readonly AgentRecord[];
  /** The rows of every HAProxy that answers. */
  haproxys: readonly { name: string; rows: readonly ServerRow[] }[];
  /** Sessions with the queue by `address:port`, summed over the HAProxys; undefined when they were not read, or not all of them. */
  sessions: ReadonlyMap<string, number> | undefined;
  /** Containers that an operator has drained or stopped through Berth. */
  byOperator: ReadonlySet<string>;
  /** Containers that were made for the warm pool and have not been in traffic. */
  spares: ReadonlySet<string>;
  /** Agent id that stands for a container without an agent (label-agents.ts). */
  agentOf: (instance: Instance) => string | undefined;
  memory: InstanceMemory;
  /** Monotonic and wall milliseconds. */
  now: number;
  wall: number;
}

export interface Joined {
  byService: ReadonlyMap<string, readonly ServiceInstance[]>;
  memory: InstanceMemory;
}

/** 128 and SIGKILL. */
const killedExitCode = 137;

export function joinInstances(sightings: Sightings): Joined {
  const { hosts, agents, haproxys, memory, now } = sightings;
  const records = new Map(agents.map((record) => [record.id, record]));
  const serving = servingAddresses(haproxys);
  const byService = new Map<string, ServiceInstance[]>();
  const seenSince = new Map<string, number>();
  const servingSince = new Map<string, number>();
  const notServingSince = new Map<string, number>();
  const drainingSince = new Map<string, number>();
  for (const { instances, clockAheadMs = 0 } of hosts) {
    // By our clock.
    const age = (at: number) => Math.max(0, sightings.wall - (at - clockAheadMs));
    for (const instance of instances) {
      // Also one that is no instance of a service yet.
      seenSince.set(instance.id, memory.seenSince.get(instance.id) ?? now);
      const agentId = sightings.agentOf(instance);
      const record = agentId === undefined ? undefined : records.get(agentId);
      const service = instance.service ?? record?.service;
      if (service === undefined) continue;
      // The last one stays in traffic although its probe fails; that is no reason to take it for well.
      const serves =
        record?.phase !== 'unready' &&
        instance.state === 'running' &&
        isServing(record, serving, haproxys.length);
      if (serves) servingSince.set(instance.id, memory.servingSince.get(instance.id) ?? now);
      else if (isCounted(instance.state))
        notServingSince.set(instance.id, memory.notServingSince.get(instance.id) ?? now);
      if (record?.phase === 'draining')
        drainingSince.set(instance.id, memory.drainingSince.get(instance.id) ?? now);
      const group = byService.get(service) ?? [];
      byService.set(service, group);
      group.push({
        id: instance.id,
        name: instance.name,
        host: instance.host,
        state: instance.state,
        health: instance.health,
        agent: agentId,
        phase: record?.phase,
        serving: serves,
        registered: record?.registrations.every(({ state }) => state !== 'none') ?? false,
        sessions: sessionsOf(record, sightings.sessions),
        createdAt: instance.createdAt - clockAheadMs,
        seenAgeMs: since(seenSince, instance.id, now) ?? 0,
        servingMs: since(servingSince, instance.id, now) ?? 0,
        // A child that was killed shows too, however the container ended later.
        outOfMemory: instance.oomKilled && instance.exitCode === killedExitCode,
        startAgeMs: instance.startedAt === undefined ? null : age(instance.startedAt),
        notServingMs: since(notServingSince, instance.id, now) ?? 0,
        drainAgeMs: since(drainingSince, instance.id, now) ?? null,
        protected: instance.protect,
        madeSpare: sightings.spares.has(instance.id),
        clone: instance.settings.clone === true,
        remade: instance.settings.remade === true,
        clonedFor: instance.settings.clonedFor,
        byOperator: sightings.byOperator.has(instance.id),
      });
    }
  }
  return { byService, memory: { seenSince, servingSince, notServingSince, drainingSince } };
}

function since(times: ReadonlyMap<string, number>, id: string, now: number): number | undefined {
  const at = times.get(id);
  return at === undefined ? undefined : now - at;
}

/** `address:port` of every server that takes traffic, with the number of HAProxys in which it does. */
function servingAddresses(haproxys: Sightings['haproxys']): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { rows } of haproxys) {
    const here = new Set(
      rows.filter((row) => isEnabled(row) && !isDown(row)).map((row) => `${row.address}:${row.port}`),
    );
    for (const key of here) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** Serves in every HAProxy that answers; while none does, the agent's word counts. */
function isServing(
  record: AgentRecord | undefined,
  serving: ReadonlyMap<string, number>,
  haproxyCount: number,
): boolean {
  if (record === undefined) return false;
  if (haproxyCount === 0) return record.phase === 'ready';
  const keys = new Set(record.registrations.map(({ address, port }) => `${address}:${port}`));
  const places = [...keys].reduce((sum, key) => sum + (serving.get(key) ?? 0), 0);
  return places >= Math.min(haproxyCount, Math.max(1, record.registrations.length));
}

function sessionsOf(record: AgentRecord | undefined, sessions: Sightings['sessions']): number | null {
  if (record === undefined) return 0; // nobody has registered it, so HAProxy sends nothing there
  if (sessions === undefined) return null;
  const keys = new Set(record.registrations.map(({ address, port }) => `${address}:${port}`));
  return [...keys].reduce((sum, key) => sum + (sessions.get(key) ?? 0), 0);
}

// `berth eval`: reads a policy's real sources once, by the coordinator's configuration, decides, and changes nothing.
//
//   HAProxy, databases, brokers …   from here, as the coordinator would
//   instances, agents' numbers      from the coordinator when it answers; with --replicas from there alone
//   CPU and memory                  from the Docker hosts of the configuration
//
// Rates and CPU are differences of two looks, so those sources are read twice, two seconds apart.
import { randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { systemClock } from '../../shared/clock.ts';
import { BerthError, isBerthError } from '../../shared/errors.ts';
import { resolveEndpoints } from '../../shared/haproxy/endpoint.ts';
import { createRuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { agentSchema } from '../api/schemas.ts';
import { type instanceSchema, serviceSchema } from '../api/service-views.ts';
import type { Config } from '../config/read-config.ts';
import { decide } from '../decide/decide.ts';
import { explain } from '../decide/explain.ts';
import type { InstanceObservation, Observations, Reading } from '../decide/observation.ts';
import { emptyState } from '../decide/state.ts';
import type { AdmittedPolicy } from '../policy/normalize.ts';
import { dockerEndpoints } from '../services/docker-endpoints.ts';
import { dockerContainerStats } from '../sources/container-stats.ts';
import type { NamedRuntimeApi } from '../sources/haproxy-loads.ts';
import { PushedMetrics } from '../sources/pushed-metrics.ts';
import { SourceReader } from '../sources/reader.ts';
import type { AgentMetrics, SourceInstance } from '../sources/source.ts';
import { createDockerClient, type DockerClient } from '../targets/docker/client.ts';
import type { ApiClient } from './api-client.ts';
import type { CommandContext } from './command-context.ts';
import { type Format, type Output, writeJson } from './output.ts';
import { readServeConfig } from './serve-command.ts';
import { formatTable, showCell } from './table.ts';

export interface EvalFlags {
  policy?: string;
  service?: string;
  backend?: string;
  replicas?: number;
  config?: string;
  url?: string;
  output: Format;
}

type Service = z.infer<typeof serviceSchema>;

const betweenLooksMs = 2000;
const deadlineMs = 30_000;
/** Instances that are only counted are taken to have been there for long. */
const longMs = 3_600_000;

/** False when a source failed. */
export async function runEval(
  given: AdmittedPolicy,
  flags: EvalFlags,
  context: CommandContext,
): Promise<boolean> {
  const { config, problems } = readServeConfig(flags.config, context.env);
  if (config === undefined)
    throw new BerthError('config.invalid', problems.join('\n'), { hint: 'see docs/configuration.md' });
  const service = flags.service ?? given.policy.service;
  const admitted = { ...given, policy: { ...given.policy, service } };
  const world = await lookAround(service, flags, context.api(flags));
  const backend = flags.backend ?? world.backend ?? service;
  const readings = await readSources(admitted, { config, world, backend, output: context.output });
  const observations: Observations = {
    target: { ok: true, wanted: world.wanted },
    instances: world.instances,
    readings,
  };
  const now = { wallMs: systemClock.wall(), monoMs: systemClock.monotonic(), run: randomUUID() };
  const { decision } = decide(admitted.policy, emptyState, observations, now);
  if (flags.output === 'json') writeJson(context.output, decision);
  else {
    context.output.write(formatReadings(readings));
    context.output.write(`${explain(decision.record).split('\n').map(showCell).join('\n')}\n`);
  }
  return Object.values(readings).every(({ ok }) => ok);
}

interface World {
  wanted: number;
  backend: string | undefined;
  instances: InstanceObservation[];
  sourceInstances: SourceInstance[];
  agents: AgentMetrics[];
}

async function lookAround(service: string, { replicas }: EvalFlags, api: ApiClient): Promise<World> {
  if (replicas !== undefined) {
    const ids = Array.from({ length: replicas }, (_, index) => `instance-${index + 1}`);
    return {
      wanted: replicas,
      backend: undefined,
      instances: ids.map((id) => ({
        id,
        phase: 'running',
        ready: true,
        startAgeMs: longMs,
        readyChangedAgeMs: longMs,
      })),
      sourceInstances: ids.map((id) => ({ id, names: [id] })),
      agents: [],
    };
  }
  try {
    const [state, agents] = await Promise.all([
      api.get(`/api/v1/services/${encodeURIComponent(service)}`, serviceSchema),
      api.list('/api/v1/agents', agentSchema, new URLSearchParams({ service })),
    ]);
    return worldOf(state, agents);
  } catch (error) {
    if (!isBerthError(error)) throw error;
    throw new BerthError(error.code, `how many instances ${service} has cannot be asked: ${error.message}`, {
      hint: 'say it with --replicas N',
      cause: error,
    });
  }
}

function worldOf(state: Service, agents: readonly z.infer<typeof agentSchema>[]): World {
  const active = state.instances.filter(({ role }) => role === 'active');
  const now = systemClock.monotonic();
  return {
    wanted: state.wanted ?? active.length,
    backend:
      agents.flatMap(({ registrations }) => registrations).find(({ backend }) => backend !== null)?.backend ??
      undefined,
    instances: active.map(observed),
    sourceInstances: active.map(({ container, name, agent }) => ({
      id: container,
      container,
      names: [container.slice(0, 12), name, ...(agent === null ? [] : [agent])],
    })),
    agents: agents.map(({ id, service, metrics }) => ({
      id,
      service: service ?? undefined,
      metrics: Object.fromEntries(
        Object.entries(metrics).map(([name, { value, ageMs }]) => [name, { value, at: now - ageMs }]),
      ),
    })),
  };
}

function observed({
  container,
  serving,
  startedSecondsAgo,
}: z.infer<typeof instanceSchema>): InstanceObservation {
  const startAgeMs = startedSecondsAgo === null ? null : startedSecondsAgo * 1000;
  return { id: container, phase: 'running', ready: serving, startAgeMs, readyChangedAgeMs: startAgeMs };
}

interface Surroundings {
  config: Config;
  world: World;
  backend: string;
  output: Output;
}

async function readSources(admitted: AdmittedPolicy, around: Surroundings): Promise<Record<string, Reading>> {
  const { policy, sources } = admitted;
  const { world, config, backend } = around;
  const all = Object.values(sources);
  const haproxys = all.some(({ type }) => type === 'haproxy') ? await runtimeApis(config) : [];
  const clients = all.some(({ type }) => type === 'docker') ? await dockerClients(config) : [];
  const reader = new SourceReader(
    {
      haproxys: () => haproxys,
      agents: () => world.agents,
      instances: () => world.sourceInstances,
      containers: {
        containerStats: async (id, signal) => {
          for (const client of clients) {
            const stats = await dockerContainerStats(() => client, systemClock).containerStats(id, signal);
            if (stats !== undefined) return stats;
          }
          return undefined;
        },
      },
      pushed: new PushedMetrics(systemClock),
    },
    systemClock,
  );
  const target = { service: policy.service, backend };
  const requests = Object.entries(sources).map(([name, source]) => ({ name, source, target }));
  const options = {
    intervalMs: Math.max(policy.intervalMs, deadlineMs),
    signal: AbortSignal.timeout(deadlineMs),
  };
  try {
    if (all.some(needsTwoLooks)) {
      await reader.readAll(requests, options);
      await sleep(betweenLooksMs);
    }
    return await reader.readAll(requests, options);
  } finally {
    await reader.close();
  }
}

function needsTwoLooks(source: AdmittedPolicy['sources'][string]): boolean {
  if (source.type === 'docker') return source.what === 'cpu';
  return source.type === 'haproxy' && source.what !== 'sessions' && source.what !== 'queue';
}

async function runtimeApis({ haproxys }: Config): Promise<NamedRuntimeApi[]> {
  const resolved = await resolveEndpoints(haproxys, async (host) =>
    (await lookup(host, { all: true })).map(({ address }) => address),
  );
  return resolved.map((endpoint) => ({ name: endpoint.name, api: createRuntimeApi(endpoint) }));
}

async function dockerClients({ dockerHosts }: Config): Promise<DockerClient[]> {
  const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  return (await dockerEndpoints(dockerHosts ?? [], quiet)).map(createDockerClient);
}

function formatReadings(readings: Readonly<Record<string, Reading>>): string {
  const rows = Object.entries(readings);
  if (rows.length === 0) return '';
  return `${formatTable(rows, [
    { title: 'METRIC', cell: ([name]) => name },
    { title: 'READING', cell: ([, reading]) => describeReading(reading) },
  ])}\n`;
}

function describeReading(reading: Reading): string {
  if (!reading.ok) return `failed (${reading.code}): ${reading.message}`;
  const partial = reading.partial === undefined ? '' : `, incomplete: ${reading.partial}`;
  if (reading.shape === 'total') return `${Number(reading.value.toPrecision(6))}${partial}`;
  const samples = Object.values(reading.samples).map(({ value }) => Number(value.toPrecision(6)));
  return `${samples.join(', ')}${partial}`;
}

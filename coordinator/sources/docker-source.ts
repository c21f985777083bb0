// CPU and memory of each container of a service. CPU is a difference of two looks, so a container has no sample at the
// first one. What 100 % means is the container's limit, or the `request` of the source; with neither the sample has
// none, and a policy in percent is told so instead of reading 0 (AUTOSCALING.md, 10).
import type { InstanceSample } from '../decide/observation.ts';
import type { SourceOf } from '../policy/source-schema.ts';
import type { ContainerStats } from './container-stats.ts';
import { Pool } from './pool.ts';
import { deadlineReason, failedReading, ReadingError } from './reading-error.ts';
import {
  partOf,
  type ReadContext,
  type Source,
  type SourceInstance,
  type SourceParts,
  type SourceTarget,
} from './source.ts';

/** Questions to the engine at a time. */
const atATime = 16;

export function dockerSource(
  { what, request }: SourceOf<'docker'>,
  { service }: SourceTarget,
  { looks, instances }: Pick<SourceParts, 'looks' | 'instances'>,
): Source {
  let previous: ReadonlyMap<string, ContainerStats> = new Map();
  return {
    read: async (context: ReadContext) => {
      const own = instances(service).filter(hasContainer);
      const { current, failures } = await lookAtAll(own, looks, context);
      if (failures.length > 0 && failures.length === own.length) throw failures[0];
      const samples: Record<string, InstanceSample> = {};
      for (const [id, stats] of current) {
        const sample = what === 'cpu' ? cpuSample(stats, previous.get(id)) : memorySample(stats);
        const limit = request ?? (what === 'cpu' ? stats.cpuLimit : stats.memoryLimit);
        if (sample !== undefined)
          samples[id] = { ...sample, ...(limit === undefined ? {} : { request: limit }) };
      }
      previous = current;
      if (Object.keys(samples).length === 0) throw nothing(service, own.length, current.size);
      return { ok: true, shape: 'perInstance', samples, ...partialOf(failures, own.length) };
    },
  };
}

type Instance = SourceInstance & { readonly container: string };

/** A container that could not be looked at in time leaves what is known of the others. */
async function lookAtAll(
  instances: readonly Instance[],
  looks: SourceParts['looks'],
  context: ReadContext,
): Promise<{ current: ReadonlyMap<string, ContainerStats>; failures: readonly unknown[] }> {
  const part = partOf(context);
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(deadlineReason(part.deadlineMs)), part.deadlineMs);
  const signal = AbortSignal.any([context.signal, late.signal]);
  const pool = new Pool(atATime);
  const current = new Map<string, ContainerStats>();
  const failures: unknown[] = [];
  await Promise.all(
    instances.map(async ({ id, container }) => {
      try {
        const stats = await pool.run(signal, () => looks.look(container, { ...part, signal }));
        if (stats !== undefined) current.set(id, stats);
      } catch (error) {
        failures.push(error);
      }
    }),
  );
  clearTimeout(timer);
  context.signal.throwIfAborted();
  return { current, failures };
}

function partialOf(failures: readonly unknown[], all: number): { partial?: string } {
  if (failures.length === 0) return {};
  const reasons = new Set(failures.map((error) => failedReading(error).message));
  return {
    partial: `${failures.length} of ${all} containers are missing: ${[...reasons].slice(0, 3).join('; ')}`,
  };
}

function hasContainer(instance: SourceInstance): instance is Instance {
  return instance.container !== undefined;
}

/** Undefined at the first look, and after a restart of the container, whose CPU time begins at 0. */
export function cpuSample(
  now: ContainerStats,
  before: ContainerStats | undefined,
): InstanceSample | undefined {
  if (before === undefined) return undefined;
  const elapsedMs = now.at - before.at;
  const used = now.cpuNanoseconds - before.cpuNanoseconds;
  if (elapsedMs <= 0 || used < 0) return undefined;
  return { value: used / 1e6 / (elapsedMs / 1000), ageMs: 0, windowMs: elapsedMs };
}

function memorySample({ memoryBytes }: ContainerStats): InstanceSample {
  return { value: memoryBytes, ageMs: 0, windowMs: 0 };
}

function nothing(service: string, instances: number, running: number): ReadingError {
  if (instances === 0) return new ReadingError('empty', `${service} has no containers`);
  if (running === 0)
    return new ReadingError('empty', `none of the ${instances} containers of ${service} runs`);
  return new ReadingError('unknown', 'CPU use needs two looks, and there was one so far');
}

// CPU and memory of each container of a service. CPU is a difference of two looks, so a container has no sample at the
// first one. What 100 % means is the container's limit, or the `request` of the source; with neither the sample has
// none, and a policy in percent is told so instead of reading 0 (AUTOSCALING.md, 10).

import type { InstanceSample } from '../decide/observation.ts';
import type { SourceOf } from '../policy/source-schema.ts';
import type { ContainerStats } from './container-stats.ts';
import { Pool } from './pool.ts';
import { failedReading, ReadingError } from './reading-error.ts';
import type { ReadContext, Source, SourceInstance, SourceParts, SourceTarget } from './source.ts';

/** Questions to the engine at a time. */
const atATime = 8;

export function dockerSource(
  { what, request }: SourceOf<'docker'>,
  { service }: SourceTarget,
  { looks, instances }: Pick<SourceParts, 'looks' | 'instances'>,
): Source {
  let previous: ReadonlyMap<string, ContainerStats> = new Map();
  return {
    read: async (context: ReadContext) => {
      const { signal } = context;
      const own = instances(service).filter(hasContainer);
      const pool = new Pool(atATime);
      const answers = await Promise.all(
        own.map(async ({ id, container }) => ({
          id,
          look: await pool
            .run(signal, () => looks.look(container, context))
            .then(
              (stats) => ({ stats }),
              (error: unknown) => ({ error }),
            ),
        })),
      );
      signal.throwIfAborted();
      const failures = answers.flatMap(({ look }) => ('error' in look ? [look.error] : []));
      if (failures.length > 0 && failures.length === answers.length) throw failures[0];
      const current = new Map(
        answers.flatMap(({ id, look }) => ('stats' in look && look.stats ? [[id, look.stats] as const] : [])),
      );
      const samples: Record<string, InstanceSample> = {};
      for (const [id, stats] of current) {
        const sample = what === 'cpu' ? cpuSample(stats, previous.get(id)) : memorySample(stats);
        const limit = request ?? (what === 'cpu' ? stats.cpuLimit : stats.memoryLimit);
        if (sample !== undefined)
          samples[id] = { ...sample, ...(limit === undefined ? {} : { request: limit }) };
      }
      previous = current;
      if (Object.keys(samples).length === 0) throw nothing(service, own.length, current.size);
      const partial = failures.map((error) => failedReading(error).message).join('; ');
      return { ok: true, shape: 'perInstance', samples, ...(partial === '' ? {} : { partial }) };
    },
  };
}

function hasContainer(instance: SourceInstance): instance is SourceInstance & { container: string } {
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

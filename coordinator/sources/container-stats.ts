// One container's CPU and memory from Docker Engine, with its limits. Docker's statistics give the host's memory as the
// limit of a container that has none, so limits come from the container's configuration.
import type Docker from 'dockerode';
import { z } from 'zod';
import { BerthError } from '../../shared/errors.ts';

export interface ContainerStats {
  /** When the numbers were taken, by Docker's clock, in milliseconds. */
  readonly at: number;
  /** CPU time used since the container started. */
  readonly cpuNanoseconds: number;
  /** In use, without the page cache, which the kernel gives back when it is needed. */
  readonly memoryBytes: number;
  /** In thousandths of a core; absent without a limit. */
  readonly cpuLimit?: number;
  /** In bytes; absent without a limit. */
  readonly memoryLimit?: number;
}

export interface ContainerStatsReader {
  /**
   * Undefined for a container that does not exist or does not run.
   * @throws BerthError `docker.unavailable`, `docker.failed`; the signal's reason
   */
  containerStats(id: string, signal: AbortSignal): Promise<ContainerStats | undefined>;
}

const statsSchema = z.object({
  read: z.string(),
  cpu_stats: z.object({ cpu_usage: z.object({ total_usage: z.number() }) }),
  memory_stats: z.object({
    usage: z.number().optional(),
    stats: z.record(z.string(), z.number()).optional(),
  }),
});

const limitsSchema = z.object({
  State: z.object({ Running: z.boolean() }),
  HostConfig: z.object({
    NanoCpus: z.number().optional(),
    CpuQuota: z.number().optional(),
    CpuPeriod: z.number().optional(),
    Memory: z.number().optional(),
  }),
});

export function dockerContainerStats(docker: Docker): ContainerStatsReader {
  return {
    containerStats: async (id, signal) => {
      const container = docker.getContainer(id);
      try {
        const options = { stream: false as const, 'one-shot': true, abortSignal: signal };
        // `one-shot` answers at once; without it the engine waits a second to fill in a difference of its own.
        const [stats, inspected] = await Promise.all([
          container.stats(options),
          container.inspect({ abortSignal: signal }),
        ]);
        return parseContainerStats(stats, inspected);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (isGone(error)) return undefined;
        throw dockerError(error, id);
      }
    },
  };
}

/** Undefined for a container that does not run. @throws ZodError */
export function parseContainerStats(stats: unknown, inspected: unknown): ContainerStats | undefined {
  const { State: state, HostConfig: host } = limitsSchema.parse(inspected);
  const { read, cpu_stats: cpu, memory_stats: memory } = statsSchema.parse(stats);
  if (!state.Running || memory.usage === undefined) return undefined;
  const cache = memory.stats?.['inactive_file'] ?? memory.stats?.['total_inactive_file'] ?? 0;
  const cpuLimit = cpuLimitOf(host);
  return {
    at: Date.parse(read),
    cpuNanoseconds: cpu.cpu_usage.total_usage,
    memoryBytes: Math.max(0, memory.usage - cache),
    ...(cpuLimit === undefined ? {} : { cpuLimit }),
    ...(host.Memory ? { memoryLimit: host.Memory } : {}),
  };
}

const defaultCpuPeriod = 100_000;

function cpuLimitOf(host: z.output<typeof limitsSchema>['HostConfig']): number | undefined {
  if (host.NanoCpus) return host.NanoCpus / 1e6;
  if (host.CpuQuota && host.CpuQuota > 0)
    return (host.CpuQuota / (host.CpuPeriod || defaultCpuPeriod)) * 1000;
  return undefined;
}

function isGone(error: unknown): boolean {
  const status = statusOf(error);
  // 409: it is being removed, or stopped between the two questions.
  return status === 404 || status === 409;
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

function dockerError(error: unknown, id: string): BerthError {
  const why = error instanceof Error ? error.message : String(error);
  return statusOf(error) === undefined && !(error instanceof z.ZodError)
    ? new BerthError('docker.unavailable', `Docker cannot be reached: ${why}`, {
        hint: 'is DOCKER_HOST right, and is the engine running?',
        cause: error,
      })
    : new BerthError('docker.failed', `Docker gave no statistics of container ${id}: ${why}`, {
        cause: error,
      });
}

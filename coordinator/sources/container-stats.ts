// One container's CPU and memory, with its limits. Docker's statistics give the machine's memory as the limit of a
// container that has none, so limits come from the container's configuration. CPU is a counter; it is set against the
// machine's own time from the same answer, as `docker stats` does, so that a slow answer does not distort it.
import type { Clock } from '../../shared/clock.ts';
import type { DockerClient } from '../targets/docker/client.ts';
import { isNotFound } from '../targets/docker/docker-error.ts';

export interface ContainerStats {
  /** When the numbers were taken, in milliseconds from an arbitrary start. */
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

type Client = Pick<DockerClient, 'stats' | 'inspect'>;
type HostConfig = Awaited<ReturnType<Client['inspect']>>['HostConfig'];

/** `clientOf` finds the engine on which a container is. */
export function dockerContainerStats(
  clientOf: (id: string) => Client | undefined,
  clock: Clock,
): ContainerStatsReader {
  return {
    containerStats: async (id, signal) => {
      const client = clientOf(id);
      if (client === undefined) return undefined;
      try {
        const [stats, { HostConfig: host }] = await Promise.all([
          client.stats(id, signal),
          client.inspect(id, signal),
        ]);
        const { cpuNs, machineCpuNs, cores, memoryBytes } = stats;
        if (memoryBytes === undefined) return undefined;
        const cpuLimit = cpuLimitOf(host);
        return {
          at: machineCpuNs && cores ? machineCpuNs / cores / 1e6 : clock.monotonic(),
          cpuNanoseconds: cpuNs,
          memoryBytes,
          ...(cpuLimit === undefined ? {} : { cpuLimit }),
          ...(host.Memory ? { memoryLimit: host.Memory } : {}),
        };
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
  };
}

const defaultCpuPeriod = 100_000;

function cpuLimitOf({ NanoCpus: nano, CpuQuota: quota, CpuPeriod: period }: HostConfig): number | undefined {
  if (nano) return nano / 1e6;
  return quota && quota > 0 ? (quota / (period || defaultCpuPeriod)) * 1000 : undefined;
}

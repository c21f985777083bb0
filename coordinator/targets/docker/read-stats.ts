// One sample of what a container uses. CPU is a counter: a rate needs two samples and the time between them.
import type { z } from 'zod';
import type { statsSchema } from './engine-schema.ts';

export interface ContainerStats {
  /** CPU time since the container was started, and of the machine over all its cores, in nanoseconds. */
  readonly cpuNs: number;
  readonly machineCpuNs: number | undefined;
  readonly cores: number | undefined;
  /** Without the page cache that can be dropped, as `docker stats` counts it. Undefined when it does not run. */
  readonly memoryBytes: number | undefined;
  /** The container's limit, or the machine's memory when it has none. */
  readonly memoryLimitBytes: number | undefined;
}

export function readStats({
  cpu_stats: cpu,
  memory_stats: memory,
}: z.infer<typeof statsSchema>): ContainerStats {
  // cgroup v1 and v2 call it differently.
  const cache = memory.stats?.['total_inactive_file'] ?? memory.stats?.['inactive_file'] ?? 0;
  return {
    cpuNs: cpu.cpu_usage.total_usage,
    machineCpuNs: cpu.system_cpu_usage,
    cores: cpu.online_cpus,
    memoryBytes: memory.usage === undefined ? undefined : Math.max(0, memory.usage - cache),
    memoryLimitBytes: memory.limit,
  };
}

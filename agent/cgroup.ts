// CPU and memory of the container, from its cgroup (https://docs.kernel.org/admin-guide/cgroup-v2.html, cgroup-v1/).
// Memory is without the page cache that the kernel may drop, as `docker stats` and Kubernetes count it.
import { readFileSync } from 'node:fs';

export interface CgroupSample {
  /** CPU time used since the start, in seconds. */
  cpuSeconds: number;
  /** Cores; undefined when unlimited. */
  cpuLimit: number | undefined;
  memoryBytes: number;
  memoryLimit: number | undefined;
}

/** Reads a file under the cgroup mount, or undefined. */
export type ReadCgroup = (path: string) => string | undefined;

function numberIn(text: string | undefined, key?: string): number | undefined {
  const found = key === undefined ? text?.trim() : new RegExp(`^${key} (\\d+)$`, 'm').exec(text ?? '')?.[1];
  return found !== undefined && /^\d+$/.test(found) ? Number(found) : undefined;
}

function readV2(read: ReadCgroup): CgroupSample | undefined {
  const usec = numberIn(read('cpu.stat'), 'usage_usec');
  const memory = numberIn(read('memory.current'));
  if (usec === undefined || memory === undefined) return undefined;
  const [quota, period] = (read('cpu.max') ?? 'max').trim().split(' ').map(Number);
  const limit = quota !== undefined && period !== undefined && quota > 0 ? quota / period : undefined;
  return {
    cpuSeconds: usec / 1e6,
    cpuLimit: limit,
    memoryBytes: Math.max(0, memory - (numberIn(read('memory.stat'), 'inactive_file') ?? 0)),
    memoryLimit: numberIn(read('memory.max')),
  };
}

/** cgroup v1 writes "no limit" as the largest number of pages. */
const unlimitedV1 = 2 ** 60;

function readV1(read: ReadCgroup): CgroupSample | undefined {
  const nanoseconds = numberIn(read('cpuacct/cpuacct.usage'));
  const memory = numberIn(read('memory/memory.usage_in_bytes'));
  if (nanoseconds === undefined || memory === undefined) return undefined;
  const quota = numberIn(read('cpu/cpu.cfs_quota_us'));
  const period = numberIn(read('cpu/cpu.cfs_period_us'));
  const limit = numberIn(read('memory/memory.limit_in_bytes'));
  return {
    cpuSeconds: nanoseconds / 1e9,
    cpuLimit: quota === undefined || period === undefined || period === 0 ? undefined : quota / period,
    memoryBytes: Math.max(0, memory - (numberIn(read('memory/memory.stat'), 'total_inactive_file') ?? 0)),
    memoryLimit: limit === undefined || limit >= unlimitedV1 ? undefined : limit,
  };
}

/** The container's use as of now, or undefined outside of a container's cgroup. */
export function readCgroup(read: ReadCgroup): CgroupSample | undefined {
  return readV2(read) ?? readV1(read);
}

/** In a container its own cgroup is what is mounted. */
export const readOwnCgroup: ReadCgroup = (path) => {
  try {
    return readFileSync(`/sys/fs/cgroup/${path}`, 'utf8');
  } catch {
    return undefined; // the other version, or no such controller
  }
};

/** Cores in use between two samples. */
export function coresInUse(before: CgroupSample, after: CgroupSample, elapsedMs: number): number | undefined {
  const seconds = after.cpuSeconds - before.cpuSeconds;
  return elapsedMs > 0 && seconds >= 0 ? seconds / (elapsedMs / 1000) : undefined;
}

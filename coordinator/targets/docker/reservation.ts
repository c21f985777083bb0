// What a container is promised of its host. Memory: its reservation (`--memory-reservation`, what its owner says that it
// needs), else its limit, since it may come to use all of that. CPU: its limit (`--cpus`, or quota and period), the only
// one that Docker knows; shares are a weight and promise nothing.
export interface Reservation {
  /** Undefined: it says nothing of it. */
  readonly memoryBytes: number | undefined;
  /** Thousandths of a core. */
  readonly cpuMilli: number | undefined;
}

export const nothingReserved: Reservation = { memoryBytes: undefined, cpuMilli: undefined };

/** `HostConfig`, of an inspection or of a stored spec. */
type HostConfig = Readonly<Record<string, unknown>>;

export function readReservation({ Memory, MemoryReservation, ...host }: HostConfig): Reservation {
  return {
    memoryBytes: positive(MemoryReservation) ?? positive(Memory),
    cpuMilli: readCpuLimit(host),
  };
}

/** Thousandths of a core; undefined when there is no limit. */
export function readCpuLimit({ NanoCpus, CpuQuota, CpuPeriod }: HostConfig): number | undefined {
  const nano = positive(NanoCpus);
  if (nano !== undefined) return nano / 1e6;
  const quota = positive(CpuQuota);
  return quota === undefined ? undefined : (quota * 1000) / (positive(CpuPeriod) ?? 100_000);
}

/** Docker writes 0 (and -1 for a quota) for "none". */
const positive = (value: unknown): number | undefined =>
  typeof value === 'number' && value > 0 ? value : undefined;

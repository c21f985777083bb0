// Room on the Docker hosts: whether a further instance fits beside what is promised already, and on which host. Pure.
//
//   free = what the machine has x the share that may be promised - what its running containers are promised
//
// A host that is filled beyond its memory kills whom its kernel chooses, neighbours too (AUTOSCALING.md, 41), so a new
// instance is placed only where what it is promised fits. What nothing is known of is no reason to refuse: an instance
// without a limit fits everywhere, a machine whose size is not known takes everything, and a container without a limit
// counts as nothing. What such a container uses now says nothing of what it will use, and a measured number that wavers
// would make the same plan fit and not fit by turns; the share that may not be promised is kept for those.

/** Of memory in bytes and of CPU in thousandths of a core; undefined: not known, or none. */
export interface Amounts {
  readonly memoryBytes: number | undefined;
  readonly cpuMilli: number | undefined;
}

export interface HostRoom {
  readonly host: string;
  /** What the machine has. */
  readonly machine: Amounts;
  /** The sum of what its running containers are promised, and those that are being made. */
  readonly promised: { readonly memoryBytes: number; readonly cpuMilli: number };
  /** Instances of the service there, and of all. */
  readonly ofService: number;
  readonly instances: number;
}

/** The share of a machine that may be promised: 0.9 keeps a tenth back. Infinity: it is not looked at. */
export interface RoomShares {
  readonly memory: number;
  readonly cpu: number;
}

/** How many more fit on one host; Infinity when nothing limits it. */
export function fitsOn(room: HostRoom, need: Amounts, shares: RoomShares): number {
  const free = freeOn(room, shares);
  return Math.min(howOften(free.memoryBytes, need.memoryBytes), howOften(free.cpuMilli, need.cpuMilli));
}

/** How many more fit on all of them; Infinity when nothing limits it. */
export function countFits(rooms: readonly HostRoom[], need: Amounts, shares: RoomShares): number {
  return rooms.reduce((sum, room) => sum + fitsOn(room, need, shares), 0);
}

/**
 * The host for one more: of those on which it fits, the one with the fewest instances of the service, then the fewest at
 * all. Undefined: it fits nowhere.
 */
export function chooseHost(
  rooms: readonly HostRoom[],
  need: Amounts,
  shares: RoomShares,
): string | undefined {
  return rooms
    .filter((room) => fitsOn(room, need, shares) >= 1)
    .toSorted((a, b) => a.ofService - b.ofService || a.instances - b.instances)[0]?.host;
}

const namedHosts = 3;

/** `no capacity: lab has 512 MB of memory free of 4 GB, 1 GB is asked for` */
export function describeNoRoom(rooms: readonly HostRoom[], need: Amounts, shares: RoomShares): string {
  const texts = rooms.slice(0, namedHosts).map((room) => describeHost(room, need, shares));
  const more = rooms.length > namedHosts ? [`${rooms.length - namedHosts} more hosts are as full`] : [];
  return `no capacity: ${[...texts, ...more].join('; ')}`;
}

function describeHost(room: HostRoom, need: Amounts, shares: RoomShares): string {
  const { machine, host } = room;
  const free = freeOn(room, shares);
  const lacks: string[] = [];
  if (howOften(free.memoryBytes, need.memoryBytes) < 1)
    lacks.push(
      `${formatBytes(free.memoryBytes ?? 0)} of memory free of ${formatBytes(machine.memoryBytes ?? 0)}, ${formatBytes(need.memoryBytes ?? 0)} asked for`,
    );
  if (howOften(free.cpuMilli, need.cpuMilli) < 1)
    lacks.push(
      `${formatCores(free.cpuMilli ?? 0)} CPUs free of ${formatCores(machine.cpuMilli ?? 0)}, ${formatCores(need.cpuMilli ?? 0)} asked for`,
    );
  return `${host} has ${lacks.length === 0 ? `room for ${fitsOn(room, need, shares)}` : lacks.join(' and ')}`;
}

/** Never less than nothing, though more may be promised than there is; undefined where it does not matter. */
function freeOn({ machine, promised }: HostRoom, shares: RoomShares): Amounts {
  const left = (all: number | undefined, share: number, taken: number) =>
    all === undefined || share === Number.POSITIVE_INFINITY ? undefined : Math.max(0, all * share - taken);
  return {
    memoryBytes: left(machine.memoryBytes, shares.memory, promised.memoryBytes),
    cpuMilli: left(machine.cpuMilli, shares.cpu, promised.cpuMilli),
  };
}

function howOften(free: number | undefined, need: number | undefined): number {
  if (free === undefined || need === undefined || need <= 0) return Number.POSITIVE_INFINITY;
  return Math.floor(free / need);
}

function formatBytes(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(value < 10 && unit > 0 ? 1 : 0))} ${units[unit]}`;
}

const formatCores = (milli: number): string => String(Number((milli / 1000).toFixed(2)));

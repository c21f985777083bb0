// What a listing does not tell and an inspection does, in the few words that are kept of it: an inspection of the engine
// is some 10 KB, and a machine may have a thousand containers.
import { isSafeName } from '../../../shared/haproxy/commands.ts';
import type { InspectedContainer, ListedContainer } from './engine-schema.ts';
import { nothingReserved, type Reservation, readCpuLimit, readReservation } from './reservation.ts';

export type InstanceHealth = 'none' | 'starting' | 'healthy' | 'unhealthy';

/** What the environment says of an agent inside. */
export interface AgentEnvironment {
  readonly service: string | undefined;
  readonly backend: string | undefined;
}

export interface ContainerDetails {
  /** The reference by which it was made, and the image's id. */
  readonly image: string;
  readonly imageId: string;
  readonly hostname: string;
  /** Undefined when the environment sets up no agent. */
  readonly agent: AgentEnvironment | undefined;
  /** The container whose network this one shares: then this one accompanies that. */
  readonly accompanies: string | undefined;
  readonly health: InstanceHealth;
  /** Of its last end; undefined while it runs and before it was started. */
  readonly exitCode: number | undefined;
  readonly oomKilled: boolean;
  /** How often its restart policy has started it again. */
  readonly restartCount: number;
  /** Wall milliseconds, by the clock of the Docker host. */
  readonly createdAt: number;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  /** By network. */
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  /** How long it may take to stop, unless `stop` is told otherwise. */
  readonly stopSeconds: number;
  /** Its limits, in thousandths of a core and in bytes; undefined when it has none. */
  readonly cpuMilli: number | undefined;
  readonly memoryBytes: number | undefined;
  /** What it is promised of the host. */
  readonly reservation: Reservation;
}

/** Docker's own default. */
const stopSeconds = 10;

export function readDetails(inspected: InspectedContainer): ContainerDetails {
  const { State: state, Config: config, HostConfig: host } = inspected;
  const networks = Object.entries(inspected.NetworkSettings.Networks ?? {});
  const startedAt = readTime(state.StartedAt);
  const isUp = state.Status === 'running' || state.Status === 'paused';
  return {
    image: config.Image,
    imageId: inspected.Image,
    hostname: config.Hostname,
    agent: readAgent(config.Env ?? []),
    accompanies: /^container:(.+)$/.exec(host.NetworkMode)?.[1],
    health: readHealth(state.Health?.Status),
    exitCode: isUp || startedAt === undefined ? undefined : state.ExitCode,
    oomKilled: state.OOMKilled,
    restartCount: inspected.RestartCount,
    createdAt: readTime(inspected.Created) ?? 0,
    startedAt,
    finishedAt: readTime(state.FinishedAt),
    aliases: Object.fromEntries(networks.map(([name, { Aliases }]) => [name, Aliases ?? []])),
    stopSeconds: config.StopTimeout ?? stopSeconds,
    cpuMilli: readCpuLimit(host),
    memoryBytes: host.Memory || undefined,
    reservation: readReservation(host),
  };
}

/** What can be said of a container that was listed and could not be inspected. */
export function detailsOfListed(listed: ListedContainer): ContainerDetails {
  return {
    image: listed.Image,
    imageId: listed.ImageID,
    hostname: listed.Id.slice(0, 12),
    agent: undefined,
    accompanies: undefined,
    health: 'none',
    exitCode: undefined,
    oomKilled: false,
    restartCount: 0,
    createdAt: listed.Created * 1000,
    startedAt: undefined,
    finishedAt: undefined,
    aliases: {},
    stopSeconds,
    cpuMilli: undefined,
    memoryBytes: undefined,
    reservation: nothingReserved,
  };
}

/** The engine writes the year 1 for "never". */
function readTime(text: string): number | undefined {
  const ms = Date.parse(text);
  return ms > 0 ? ms : undefined;
}

export function readHealth(text: string | undefined): InstanceHealth {
  return text === 'starting' || text === 'healthy' || text === 'unhealthy' ? text : 'none';
}

/**
 * An agent needs HAProxy's address and the app's port. The coordinator's own container has the first alone, and so
 * takes itself for no instance.
 */
function readAgent(environment: readonly string[]): AgentEnvironment | undefined {
  const read = (name: string) =>
    environment
      .findLast((entry) => entry.startsWith(`${name}=`))
      ?.slice(name.length + 1)
      .trim() || undefined;
  if (read('HAPROXY_SERVER') === undefined) return undefined;
  if (read('BERTH_APP_PORT') === undefined && read('PORT') === undefined) return undefined;
  const safe = (name: string | undefined) => (name !== undefined && isSafeName(name) ? name : undefined);
  return { service: safe(read('BERTH_SERVICE')), backend: safe(read('HAPROXY_BACKEND')) };
}

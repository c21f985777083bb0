// What Berth asks of a Docker Engine, and nothing else.
import { addAbortSignal, Readable } from 'node:stream';
import type Docker from 'dockerode';
import { z } from 'zod';
import { BerthError } from '../../../shared/errors.ts';
import { DockerError } from './docker-error.ts';
import type { DockerEndpoint } from './endpoint.ts';
import { type Engine, openEngine } from './engine.ts';
import {
  type InspectedContainer,
  type InspectedImage,
  imageSchema,
  inspectedSchema,
  type ListedContainer,
  listedSchema,
  machineSchema,
  statsSchema,
} from './engine-schema.ts';
import { type DockerEvent, eventFilters, readEvents } from './read-events.ts';
import { type ContainerStats, readStats } from './read-stats.ts';
import type { Reservation } from './reservation.ts';

export interface Machine extends Reservation {
  /** Wall milliseconds, by its own clock; undefined when it does not say. */
  readonly clock: number | undefined;
}

export interface DockerClient {
  /** The host's name in the configuration. */
  readonly host: string;
  /** All containers, running or not: one request. */
  list(signal?: AbortSignal): Promise<readonly ListedContainer[]>;
  inspect(id: string, signal?: AbortSignal): Promise<InspectedContainer>;
  /** Undefined when the image is not on the host. */
  image(reference: string, signal?: AbortSignal): Promise<InspectedImage | undefined>;
  /** Makes a container, does not start it, and gives its id; `body` is as the engine's API describes it. */
  create(name: string, body: object, signal?: AbortSignal): Promise<string>;
  /** isNotModified when it runs already. */
  start(id: string, signal?: AbortSignal): Promise<void>;
  /** Its stop signal, then SIGKILL after the grace; resolves when it has ended. isNotModified when it does not run. */
  stop(id: string, graceSeconds: number, signal?: AbortSignal): Promise<void>;
  kill(id: string, unixSignal: NodeJS.Signals, signal?: AbortSignal): Promise<void>;
  /** Its volumes are kept. `force` kills it first when it runs. */
  remove(id: string, options?: { readonly force?: boolean }, signal?: AbortSignal): Promise<void>;
  pause(id: string, signal?: AbortSignal): Promise<void>;
  unpause(id: string, signal?: AbortSignal): Promise<void>;
  rename(id: string, name: string, signal?: AbortSignal): Promise<void>;
  /** Connects a container to a further network; `config` is the engine's EndpointConfig. */
  connect(network: string, id: string, config: object, signal?: AbortSignal): Promise<void>;
  stats(id: string, signal?: AbortSignal): Promise<ContainerStats>;
  /** What the machine has: all its memory and cores; and what its clock shows. */
  machine(signal?: AbortSignal): Promise<Machine>;
  /**
   * Subscribes to events of containers, from `since` (seconds since the epoch, by the engine's clock) if given.
   * Resolves once the engine has taken the subscription. The iteration ends when the engine ends it, and throws
   * `docker.unavailable` when the connection is lost, the reason of `signal` when that aborts.
   */
  events(since: number | undefined, signal: AbortSignal): Promise<AsyncIterable<DockerEvent>>;
  /** Ends idle connections. */
  close(): void;
}

/** Making and starting wait for the host's disk, and for other containers that are being made. */
const readMs = 10_000;
const actMs = 60_000;

const nothing = z.unknown().transform(() => undefined);

export function createDockerClient(endpoint: DockerEndpoint): DockerClient {
  const engine = openEngine(endpoint);
  const act = (
    verb: string,
    id: string,
    signal: AbortSignal | undefined,
    run: (container: Docker.Container, options: { abortSignal: AbortSignal }) => Promise<unknown>,
    deadlineMs = actMs,
  ) =>
    engine.request({
      action: `${verb} ${id}`,
      deadlineMs,
      signal,
      schema: nothing,
      run: (docker, options) => run(docker.getContainer(checkedId(id)), options),
    });
  return {
    host: endpoint.name,
    list: (signal) =>
      engine.request({
        action: 'list containers',
        deadlineMs: readMs,
        signal,
        schema: z.array(listedSchema),
        run: (docker, options) => docker.listContainers({ ...options, all: true }),
      }),
    inspect: (id, signal) =>
      engine.request({
        action: `inspect ${id}`,
        deadlineMs: readMs,
        signal,
        schema: inspectedSchema,
        run: (docker, options) => docker.getContainer(checkedId(id)).inspect(options),
      }),
    image: (reference, signal) => findImage(engine, reference, signal),
    create: (name, body, signal) =>
      engine.request({
        action: `create ${name}`,
        deadlineMs: actMs,
        signal,
        schema: z.object({ id: z.string() }).transform(({ id }) => id),
        run: (docker, options) => {
          const request = { ...options, _query: { name }, _body: body };
          return docker.createContainer(request);
        },
      }),
    start: (id, signal) => act('start', id, signal, (container, options) => container.start(options)),
    stop: (id, grace, signal) =>
      act(
        'stop',
        id,
        signal,
        (container, options) => container.stop({ ...options, t: grace }),
        actMs + grace * 1000,
      ),
    kill: (id, unixSignal, signal) =>
      act('kill', id, signal, (container, options) => container.kill({ ...options, signal: unixSignal })),
    remove: (id, { force = false } = {}, signal) =>
      act('remove', id, signal, (container, options) => container.remove({ ...options, force, v: false })),
    pause: (id, signal) => act('pause', id, signal, (container, options) => container.pause(options)),
    unpause: (id, signal) => act('unpause', id, signal, (container, options) => container.unpause(options)),
    rename: (id, name, signal) =>
      act('rename', id, signal, (container, options) => container.rename({ ...options, name })),
    connect: (network, id, config, signal) =>
      engine.request({
        action: `connect ${id} to the network ${network}`,
        deadlineMs: actMs,
        signal,
        schema: nothing,
        run: (docker, options) => {
          const request = { ...options, Container: checkedId(id), EndpointConfig: config };
          return docker.getNetwork(checked('network', network, /^[A-Za-z0-9][\w.-]*$/)).connect(request);
        },
      }),
    stats: async (id, signal) =>
      readStats(
        await engine.request({
          action: `read the stats of ${id}`,
          deadlineMs: readMs,
          signal,
          schema: statsSchema,
          run: (docker, options) => {
            const once = { ...options, stream: false as const, 'one-shot': true };
            return docker.getContainer(checkedId(id)).stats(once);
          },
        }),
      ),
    machine: async (signal) => {
      const { MemTotal, NCPU, SystemTime } = await engine.request({
        action: 'tell what the machine has',
        deadlineMs: readMs,
        signal,
        schema: machineSchema,
        run: (docker) => docker.info(),
      });
      return {
        memoryBytes: MemTotal || undefined,
        cpuMilli: NCPU * 1000 || undefined,
        clock: SystemTime === undefined ? undefined : Date.parse(SystemTime) || undefined,
      };
    },
    events: (since, signal) => subscribe(engine, since, signal),
    close: () => engine.close(),
  };
}

async function findImage(engine: Engine, reference: string, signal: AbortSignal | undefined) {
  try {
    return await engine.request({
      action: `inspect the image ${reference}`,
      deadlineMs: readMs,
      signal,
      schema: imageSchema,
      run: (docker) => docker.getImage(checked('image', reference, /^\w[\w./:@-]*$/)).inspect(),
    });
  } catch (error) {
    if (error instanceof DockerError && error.status === 404) return undefined;
    throw error;
  }
}

async function subscribe(engine: Engine, since: number | undefined, signal: AbortSignal) {
  const stream = await engine.request({
    action: 'send events',
    deadlineMs: readMs,
    signal,
    schema: z.instanceof(Readable),
    run: (docker, options) =>
      docker.getEvents({ ...options, filters: eventFilters, ...(since === undefined ? {} : { since }) }),
  });
  // The request's own signal ended with the subscription; the stream lives until the caller's.
  addAbortSignal(signal, stream.setEncoding('utf8'));
  return (async function* () {
    try {
      yield* readEvents(stream);
    } catch (error) {
      throw signal.aborted ? signal.reason : engine.unavailable('send events', error);
    }
  })();
}

/** Ids and names become part of a path. */
function checked(what: string, value: string, pattern: RegExp): string {
  if (pattern.test(value) && !value.includes('..')) return value;
  throw new BerthError('request.invalid', `${JSON.stringify(value)} is not the name of a Docker ${what}`);
}

const checkedId = (id: string) => checked('container', id, /^[A-Za-z0-9][\w.-]*$/);

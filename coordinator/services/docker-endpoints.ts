// Which Docker hosts this coordinator acts on. None is no fault: agents and slots work without Docker; nothing is scaled.
// But it may only not be there yet: a coordinator that starts before dockerd has made its socket looks again.
import { homedir } from 'node:os';
import type { Clock } from '../../shared/clock.ts';
import { describeError, isBerthError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { DockerEndpoint } from '../targets/docker/endpoint.ts';
import { findEndpoint } from '../targets/docker/find-endpoint.ts';
import { type DockerHostConfig, endpointOf } from '../targets/docker/host-schema.ts';

/**
 * The hosts of the configuration, else this machine's engine, else none.
 * @throws BerthError `config.invalid` when what is configured cannot be used
 */
export async function dockerEndpoints(
  hosts: readonly DockerHostConfig[],
  log: Log,
): Promise<DockerEndpoint[]> {
  if (hosts.length > 0) return Promise.all(hosts.map(endpointOf));
  const found = await localEndpoint(log, (error) =>
    log.info(
      { event: 'docker.absent', reason: describeError(error) },
      'no Docker Engine: slots are looked after, nothing is started or stopped until there is one',
    ),
  );
  return found === undefined ? [] : [found];
}

/** This machine's engine; undefined, and `absent` is told why, when there is none. */
export async function localEndpoint(
  log: Log,
  absent: (error: unknown) => void = () => {},
): Promise<DockerEndpoint | undefined> {
  try {
    const surroundings = { env: process.env, home: homedir(), uid: process.getuid?.() ?? 0, root: '/' };
    return await findEndpoint(surroundings, log);
  } catch (error) {
    if (!isBerthError(error, 'docker.unavailable')) throw error;
    absent(error);
    return undefined;
  }
}

const pausesMs = { first: 1000, most: 30_000 };

/** Looks again, later and later, until there is an engine; undefined when `signal` aborts. */
export async function awaitEndpoint(
  look: () => Promise<DockerEndpoint | undefined>,
  { log, clock }: { log: Log; clock: Clock },
  signal: AbortSignal,
): Promise<DockerEndpoint | undefined> {
  let said = '';
  for (let pauseMs = pausesMs.first; ; pauseMs = Math.min(pausesMs.most, 2 * pauseMs)) {
    await clock.sleep(pauseMs, signal);
    if (signal.aborted) return undefined;
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      // What somebody has set up meanwhile cannot be used.
      if (said !== describeError(error))
        log.warn({ event: 'docker.unusable', error: describeError(error) }, describeError(error));
      said = describeError(error);
    }
  }
}

// Which Docker hosts this coordinator acts on. None is no fault: agents and slots work without Docker; nothing is scaled.
import { homedir } from 'node:os';
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
  try {
    const surroundings = { env: process.env, home: homedir(), uid: process.getuid?.() ?? 0, root: '/' };
    return [await findEndpoint(surroundings, log)];
  } catch (error) {
    if (!isBerthError(error, 'docker.unavailable')) throw error;
    log.info(
      { event: 'docker.absent', reason: describeError(error) },
      'no Docker Engine: slots are looked after, nothing is started or stopped',
    );
    return [];
  }
}

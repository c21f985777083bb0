// Finding the Docker Engine when the configuration names none: strategies in order, each logged with what it found.
//
//   1. DOCKER_HOST with DOCKER_TLS_VERIFY, DOCKER_TLS, DOCKER_CERT_PATH
//   2. the context: DOCKER_CONTEXT, else the current one of ~/.docker/config.json     (the order of Docker's own CLI)
//   3. the default socket   4. a rootless engine's, Docker Desktop's   5. Podman's
//
// 1 and 2 are somebody's choice: what they name is used, or the error says why it can't be. Of the sockets 3 to 5 the
// first that somebody listens on is used, else the first that is there: its engine may be restarting.
import { access, constants } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { BerthError } from '../../../shared/errors.ts';
import type { Log } from '../../../shared/log.ts';
import { currentContext, presentTls, readContext } from './docker-context.ts';
import { type DockerEndpoint, formatAddress, parseAddress, readTls, tlsPathsIn } from './endpoint.ts';

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly uid: number;
  /** `/`; tests give another. */
  readonly root: string;
}

type Found =
  | { readonly endpoint: DockerEndpoint }
  | { readonly sockets: readonly string[] }
  | { readonly nothing: string };

interface Strategy {
  readonly name: string;
  find(surroundings: Surroundings): Promise<Found>;
}

/** How the only host is called, when the configuration gives it no name. */
const name = 'docker';

const configFolder = ({ env, home }: Surroundings) => env['DOCKER_CONFIG'] || join(home, '.docker');
const runtimeFolder = ({ env, uid, root }: Surroundings) =>
  env['XDG_RUNTIME_DIR'] || join(root, 'run/user', String(uid));

const byVariable: Strategy = {
  name: 'DOCKER_HOST',
  find: async (surroundings) => {
    const { env } = surroundings;
    const written = env['DOCKER_HOST'];
    if (!written) return { nothing: 'not set' };
    const isVerified = Boolean(env['DOCKER_TLS_VERIFY']);
    const address = parseAddress(written, 'DOCKER_HOST', isVerified || Boolean(env['DOCKER_TLS']));
    if ('socketPath' in address || !address.isTls)
      return { endpoint: { name, address, tls: undefined, from: 'DOCKER_HOST' } };
    const folder = env['DOCKER_CERT_PATH'];
    const paths =
      folder && isVerified ? tlsPathsIn(folder) : await presentTls(folder || configFolder(surroundings));
    const tls = await readTls(paths, folder ? 'DOCKER_CERT_PATH' : 'DOCKER_HOST', isVerified);
    return { endpoint: { name, address, tls, from: 'DOCKER_HOST' } };
  },
};

const byContext: Strategy = {
  name: 'the Docker context',
  find: async (surroundings) => {
    const folder = configFolder(surroundings);
    const context = surroundings.env['DOCKER_CONTEXT'] || (await currentContext(folder));
    if (context === undefined || context === 'default') return { nothing: 'none is chosen' };
    return { endpoint: { name, ...(await readContext(folder, context)), from: `the context ${context}` } };
  },
};

const bySocket = (title: string, paths: (surroundings: Surroundings) => readonly string[]): Strategy => ({
  name: title,
  find: async (surroundings) => {
    const usable: string[] = [];
    for (const path of paths(surroundings)) if (await canUse(path)) usable.push(path);
    return usable.length > 0 ? { sockets: usable } : { nothing: 'no socket that this user may open' };
  },
});

const strategies: readonly Strategy[] = [
  byVariable,
  byContext,
  bySocket('the default socket', ({ root }) => [
    join(root, 'var/run/docker.sock'),
    join(root, 'run/docker.sock'),
  ]),
  bySocket("a rootless engine's socket", (surroundings) => [
    join(runtimeFolder(surroundings), 'docker.sock'),
    join(surroundings.home, '.docker/run/docker.sock'),
    join(surroundings.home, '.docker/desktop/docker.sock'),
  ]),
  bySocket("Podman's socket", (surroundings) => [
    join(runtimeFolder(surroundings), 'podman/podman.sock'),
    join(surroundings.root, 'run/podman/podman.sock'),
  ]),
];

/**
 * The Docker Engine of this machine.
 * @throws BerthError `config.invalid` when what DOCKER_HOST or the context says can't be used; `docker.unavailable`
 *   when nothing was found
 */
export async function findEndpoint(surroundings: Surroundings, log: Log): Promise<DockerEndpoint> {
  const tried: string[] = [];
  let silent: DockerEndpoint | undefined;
  const found = (endpoint: DockerEndpoint) => {
    const host = formatAddress(endpoint.address);
    log.info({ event: 'docker.found', host, from: endpoint.from }, `Docker at ${host}, by ${endpoint.from}`);
    return endpoint;
  };
  const missed = (strategy: Strategy, result: string) => {
    tried.push(`${strategy.name}: ${result}`);
    log.debug({ event: 'docker.searched', strategy: strategy.name, result }, `${strategy.name}: ${result}`);
  };
  for (const strategy of strategies) {
    const result = await strategy.find(surroundings);
    if ('endpoint' in result) return found(result.endpoint);
    if ('nothing' in result) {
      missed(strategy, result.nothing);
      continue;
    }
    for (const socketPath of result.sockets) {
      const endpoint = { name, address: { socketPath }, tls: undefined, from: strategy.name };
      if (await isListenedOn(socketPath)) return found(endpoint);
      missed(strategy, `nobody listens on ${socketPath}`);
      silent ??= endpoint;
    }
  }
  if (silent !== undefined) return found(silent);
  throw new BerthError('docker.unavailable', `no Docker Engine was found (${tried.join('; ')})`, {
    hint: 'set DOCKER_HOST, or mount /var/run/docker.sock into the container and give its group to the user',
  });
}

async function canUse(path: string): Promise<boolean> {
  return access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

function isListenedOn(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.setTimeout(1000, () => answer(false));
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}

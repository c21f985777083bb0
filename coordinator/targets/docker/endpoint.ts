// Where a Docker Engine is: the address as `DOCKER_HOST` writes it, and the files of its TLS.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../../../shared/errors.ts';
import { formatHostPort, parsePort } from '../../../shared/haproxy/endpoint.ts';

export interface DockerTls {
  /** PEM texts. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** False: the engine's certificate is not checked. */
  readonly isVerified: boolean;
}

export type DockerAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number; readonly isTls: boolean };

export interface DockerEndpoint {
  /** How logs, the audit and the API call this host. */
  readonly name: string;
  readonly address: DockerAddress;
  readonly tls: DockerTls | undefined;
  /** Where it was found, for people: `DOCKER_HOST`, `the context lab`, … */
  readonly from: string;
}

/** `unix:///run/docker.sock`, `tcp://10.0.0.5:2376`. */
export function formatAddress(address: DockerAddress): string {
  return 'socketPath' in address
    ? `unix://${address.socketPath}`
    : `tcp://${formatHostPort(address.host, address.port)}`;
}

/**
 * Parses an address as `DOCKER_HOST` writes it: `unix://PATH`, `tcp://HOST[:PORT]`, `http(s)://HOST[:PORT]`, `HOST:PORT`.
 * `isTls` gives the default port: 2376, else 2375.
 * @throws BerthError `config.invalid`, naming `from`
 */
export function parseAddress(text: string, from: string, isTls = false): DockerAddress {
  const invalid = (why: string, hint = 'write unix:///var/run/docker.sock or tcp://host:2376') =>
    new BerthError('config.invalid', `${from}: the Docker address ${JSON.stringify(text)} ${why}`, { hint });
  const written = text.trim();
  const [, scheme = 'tcp', rest = ''] = /^(?:([A-Za-z][A-Za-z0-9+]*):\/\/)?(.*)$/.exec(written) ?? [];
  switch (scheme.toLowerCase()) {
    case 'unix':
      if (!rest.startsWith('/')) throw invalid('does not name a socket by its whole path');
      return { socketPath: rest };
    case 'tcp':
    case 'http':
    case 'https': {
      const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+))(?::(\d+))?\/?$/.exec(rest);
      const host = match?.[1] ?? match?.[2];
      if (host === undefined) throw invalid('is not a host with a port');
      const secure = isTls || scheme.toLowerCase() === 'https';
      const port = match?.[3] === undefined ? (secure ? 2376 : 2375) : parsePort(match[3]);
      if (port === undefined) throw invalid(`has the port ${match?.[3]}, not a number from 1 to 65535`);
      return { host, port, isTls: secure };
    }
    case 'ssh':
      throw invalid(
        'asks for SSH, which Berth does not speak',
        'let the engine listen on tcp:// with TLS, or forward its socket with ssh -L and name that',
      );
    default:
      throw invalid(`begins with ${scheme}://`);
  }
}

export interface TlsPaths {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/**
 * Reads the TLS files.
 * @throws BerthError `config.invalid`, naming `from` and the file
 */
export async function readTls(paths: TlsPaths, from: string, isVerified = true): Promise<DockerTls> {
  const read = async (path: string | undefined) => {
    if (path === undefined) return undefined;
    try {
      return await readFile(path, 'utf8');
    } catch (cause) {
      throw new BerthError('config.invalid', `${from}: cannot read ${path}: ${reasonOf(cause)}`, {
        hint: 'the TLS of a Docker host needs ca.pem, cert.pem and key.pem, readable by the coordinator',
        cause,
      });
    }
  };
  const [ca, cert, key] = await Promise.all([read(paths.ca), read(paths.cert), read(paths.key)]);
  if ((cert === undefined) !== (key === undefined))
    throw new BerthError('config.invalid', `${from}: a client certificate and its key go together`, {
      hint: 'give both cert and key, or neither',
    });
  return { ca, cert, key, isVerified };
}

/** The three files in `folder`, under the names that Docker's own tools use. */
export const tlsPathsIn = (folder: string) => ({
  ca: join(folder, 'ca.pem'),
  cert: join(folder, 'cert.pem'),
  key: join(folder, 'key.pem'),
});

export const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message.trim() : String(error);

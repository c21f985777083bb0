// Where a HAProxy's Runtime API is. `HAPROXY_SERVER` is a host or several, each with an optional port
// (`lb1,lb2:9998`), an IPv6 address in brackets, or a unix socket's path; a name with several addresses counts as
// several HAProxys, each with slots of its own.
import { isIP, isIPv6 } from 'node:net';
import { BerthError } from '../errors.ts';

export interface TlsFiles {
  /** PEM text of the CA that HAProxy's certificate is checked against. */
  ca: string | undefined;
  /** PEM text of the client certificate and its key; both or neither. */
  cert: string | undefined;
  key: string | undefined;
}

export interface Endpoint {
  /** How logs, the audit and the API call it: `host:port`, or the socket's path. */
  name: string;
  host: string;
  port: number;
  /** A unix socket's path; then host and port are not used. */
  path?: string;
  tls?: TlsFiles;
  /** The name that a certificate is checked against when `host` was resolved from it. */
  serverName?: string;
}

const hostPattern = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})$/;

/** Parses a port: a whole number from 1 to 65535, in decimal digits only. Undefined when it is not one. */
export function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : undefined;
}

/** Formats `host:port`, with brackets around an IPv6 address. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(':') && isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

function invalid(entry: string, why: string): BerthError {
  return new BerthError('config.invalid', `HAPROXY_SERVER: ${JSON.stringify(entry)} ${why}`, {
    hint: 'give a host name or address, with a port if it is not the default: lb1 or lb1:9999, several as lb1,lb2',
  });
}

function parseEndpoint(entry: string, defaultPort: number, tls: TlsFiles | undefined): Endpoint {
  const withTls = tls === undefined ? {} : { tls };
  const path = entry.startsWith('unix@') ? entry.slice(5) : entry;
  if (path.startsWith('/')) {
    if (!/^[\x21-\x7e]{1,107}$/.test(path)) throw invalid(entry, 'is not a usable path of a unix socket');
    return { name: path, host: '', port: 0, path };
  }
  // Node's pattern for IPv6 takes 3 ms to compile, a tenth of an agent's start: only what has a colon is asked.
  if (entry.includes(':') && isIPv6(entry))
    return { name: formatHostPort(entry, defaultPort), host: entry, port: defaultPort, ...withTls };
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+))(?::([^:]*))?$/.exec(entry);
  const host = match?.[1] ?? match?.[2];
  if (match === null || host === undefined) throw invalid(entry, 'is not host or host:port');
  if (match[1] !== undefined ? !isIPv6(host) : !hostPattern.test(host)) {
    throw invalid(entry, 'is not a host name or address');
  }
  const port = match[3] === undefined ? defaultPort : parsePort(match[3]);
  if (port === undefined)
    throw invalid(entry, `has the port ${JSON.stringify(match[3])}, not a number from 1 to 65535`);
  return { name: formatHostPort(host, port), host, port, ...withTls };
}

/**
 * Parses `HAPROXY_SERVER`. Empty entries are refused, doubles are dropped.
 * @throws BerthError `config.invalid`, naming the entry
 */
export function parseEndpoints(text: string, defaultPort: number, tls?: TlsFiles): Endpoint[] {
  const endpoints = text.split(',').map((entry) => parseEndpoint(entry.trim(), defaultPort, tls));
  return endpoints.filter(
    (endpoint, index) => endpoints.findIndex((other) => other.name === endpoint.name) === index,
  );
}

export type Lookup = (host: string) => Promise<readonly string[]>;

/** True when `host` is a name that is to be looked up. */
export const isNamed = ({ host, path }: Endpoint): boolean => path === undefined && isIP(host) === 0;

/**
 * The HAProxys that a name stands for: several addresses are one each, named by address; a name with one address keeps
 * its name, so that a HAProxy that comes back under another address is found again. Of a name that has addresses of both
 * families IPv4's count: one machine with two addresses is one HAProxy, not two. Agents and the coordinator spell them
 * alike. Pure; an empty list of addresses stands for a name that is the HAProxy's own.
 */
export function spellEndpoints(endpoint: Endpoint, addresses: readonly string[]): Endpoint[] {
  const distinct = [...new Set(addresses)].sort();
  const ipv4 = distinct.filter((address) => isIP(address) === 4);
  const chosen = ipv4.length > 0 ? ipv4 : distinct;
  // Connected to by name, over whichever family answers there: `localhost` is 127.0.0.1 or ::1.
  if (chosen.length < 2) return [endpoint];
  return chosen.map((address) => ({
    ...endpoint,
    name: formatHostPort(address, endpoint.port),
    host: address,
    serverName: endpoint.host,
  }));
}

/**
 * All endpoints with their names looked up, once.
 * @throws what `lookup` throws
 */
export async function resolveEndpoints(endpoints: readonly Endpoint[], lookup: Lookup): Promise<Endpoint[]> {
  const resolved = await Promise.all(
    endpoints.map(async (endpoint) =>
      isNamed(endpoint) ? spellEndpoints(endpoint, await lookup(endpoint.host)) : [endpoint],
    ),
  );
  return resolved.flat();
}

// Servers that Berth adds to a backend (`add server`) and deletes again, for users without a `server-template`.
//
// Such a row is a slot that is made for one app, and its name says for which: `<prefix>-<address>:<port>`. So no two apps
// want one name, whoever gets the address of a dead one finds its row by the name, the name is the same after a restart
// of HAProxy, and nobody takes a server that somebody wrote for one of Berth's.
// It is added as `disabled`, which gives it the mark of a template's slot and the same admin states (5, 4, 12; measured
// on 2.6, 3.0 and 3.2): what is true of a slot is true of it. One that was given back and that HAProxy did not let go
// (`Server still has connections attached to it`) is in maintenance with the free address until somebody deletes it.
import { isIP } from 'node:net';
import { plainAddress } from './address.ts';
import { formatHostPort, parsePort } from './endpoint.ts';
import type { ServerRow } from './servers-state.ts';
import type { AppAddress } from './slots.ts';

/** The dynamic servers of a backend, whatever their prefix. */
export interface DynamicServers {
  backend: string;
  dynamic: true;
}

export const longestPrefix = 64;
export const defaultParameters = 'check inter 5s maxconn 8000 weight 100';

/**
 * Algorithms whose backends take servers at run time, as in `balance` and as in `show stat`, which calls `random` unknown.
 * Tried on 2.6, 3.0 and 3.2.
 */
export const dynamicAlgorithms: ReadonlySet<string> = new Set([
  'roundrobin',
  'leastconn',
  'first',
  'random',
  'unknown',
]);

export const dynamicName = (prefix: string, { address, port }: AppAddress): string =>
  `${prefix}-${plainAddress(address)}:${port}`;

/** The app that a dynamic server of this name is for; undefined when it is no such name. */
export function dynamicApp(name: string): AppAddress | undefined {
  const dash = name.lastIndexOf('-');
  const colon = name.lastIndexOf(':');
  if (dash < 1 || dash > longestPrefix || colon < dash) return undefined;
  const address = name.slice(dash + 1, colon);
  const port = parsePort(name.slice(colon + 1));
  return port === undefined || isIP(address) === 0 || plainAddress(address) !== address
    ? undefined
    : { address, port };
}

/** By its name, and not made from a host name as the slots of a template are. */
export const isDynamic = (row: Pick<ServerRow, 'name' | 'templated'>): boolean =>
  !row.templated && dynamicApp(row.name) !== undefined;

/** For people: the address in brackets where it needs them, as `add server` takes it too. */
export const formatApp = ({ address, port }: AppAddress): string =>
  formatHostPort(plainAddress(address), port);

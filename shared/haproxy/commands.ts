// The only way to make a Runtime API command. A `;` or a newline in a value would run as a command of its own, and
// HAProxy accepts `port 99999` as 34463 (HAPROXY.md), so every value is checked here, before anything is sent.
import { BerthError } from '../errors.ts';
import { isServerAddress, plainAddress } from './address.ts';
import { dynamicApp, formatApp } from './dynamic-servers.ts';
import { parseServerParameters } from './server-parameters.ts';
import type { AppAddress } from './slots.ts';

/** One line for the Runtime API whose values have been checked. */
export type Command = string & { readonly command: unique symbol };

/** A server of a backend, a slot or a lock row. */
export interface ServerName {
  backend: string;
  name: string;
}

const states = ['ready', 'drain', 'maint'] as const;
export type WantedState = (typeof states)[number];

const namePattern = /^[A-Za-z0-9_.:-]{1,128}$/;
/** Lock rows (lock.ts) have the names of their slots in theirs, hence longer ones. */
const lockPattern = /^(?:break\.)*claim\.[A-Za-z0-9_.:-]{1,300}$/;

function unsafe(what: string, value: unknown, expected: string): BerthError {
  const shown = (JSON.stringify(value) ?? String(value)).slice(0, 100);
  return new BerthError(
    'haproxy.unsafe-value',
    `${what} ${shown} was not sent to HAProxy: it is not ${expected}`,
  );
}

/** True for a name that HAProxy accepts for a proxy or server and that can't end a command. */
export function isSafeName(text: string): boolean {
  return namePattern.test(text);
}

function checkedName(what: string, name: string): string {
  if (!isSafeName(name)) throw unsafe(what, name, 'a name of letters, digits, and _ . : -');
  return name;
}

function checkedId(what: string, id: number): number {
  if (!Number.isSafeInteger(id) || id < 0) throw unsafe(what, id, 'an id');
  return id;
}

function checkedAddress(address: string): string {
  if (!isServerAddress(address)) throw unsafe('address', address, 'the IP address of a server');
  return plainAddress(address);
}

function checkedPort(port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw unsafe('port', port, 'a number from 1 to 65535');
  return port;
}

function checkedState(state: WantedState): string {
  if (!states.includes(state)) throw unsafe('state', state, 'ready, drain or maint');
  return state;
}

function target(server: ServerName): string {
  return `${checkedName('backend', server.backend)}/${checkedName('server', server.name)}`;
}

function lockTarget(lock: ServerName): string {
  if (!lockPattern.test(lock.name)) throw unsafe('lock row', lock.name, 'called claim.… or break.claim.…');
  return `${checkedName('backend', lock.backend)}/${lock.name}`;
}

/** Only ever a server that Berth makes and deletes. */
function dynamicTarget(server: ServerName): string {
  if (dynamicApp(server.name) === undefined)
    throw unsafe('dynamic server', server.name, 'called <prefix>-<address>:<port>');
  return target(server);
}

function checkedParameters(parameters: string): string {
  const checked = parseServerParameters(parameters);
  if (checked === undefined) throw unsafe('parameters', parameters, 'known words for `add server`');
  return checked;
}

const line = (text: string): Command => text as Command;

export const commands = {
  showInfo: (): Command => line('show info'),
  /** All backends, or one. */
  showServersState: (backend?: string): Command =>
    line(
      backend === undefined ? 'show servers state' : `show servers state ${checkedName('backend', backend)}`,
    ),
  /** One server's row as CSV: the cheap look at one slot. */
  showServerStat: (backendId: number, serverId: number): Command =>
    line(`show stat ${checkedId('backend id', backendId)} 4 ${checkedId('server id', serverId)}`),
  /** Every frontend, backend and server as CSV. */
  showStat: (): Command => line('show stat'),
  /** The highest access level of this connection: `admin` is what slots need. */
  showCliLevel: (): Command => line('show cli level'),
  setAddress: (server: ServerName, address: string, port: number): Command =>
    line(`set server ${target(server)} addr ${checkedAddress(address)} port ${checkedPort(port)}`),
  setState: (server: ServerName, state: WantedState): Command =>
    line(`set server ${target(server)} state ${checkedState(state)}`),
  /** A server in maintenance, whose checks do not run yet; its creation is a test-and-set on the name. */
  addServer: (server: ServerName, app: AppAddress, parameters: string): Command => {
    const at = formatApp({ address: checkedAddress(app.address), port: checkedPort(app.port) });
    return line(
      `add server ${dynamicTarget(server)} ${at} disabled ${checkedParameters(parameters)}`.trimEnd(),
    );
  },
  enableHealth: (server: ServerName): Command => line(`enable health ${dynamicTarget(server)}`),
  /** HAProxy refuses it unless the server is in maintenance. */
  deleteServer: (server: ServerName): Command => line(`del server ${dynamicTarget(server)}`),
  /** A row in maintenance that takes no traffic; its creation is the test-and-set. */
  addLock: (lock: ServerName): Command => line(`add server ${lockTarget(lock)} 127.0.0.1:1`),
  /** Only ever a lock row: HAProxy deletes the slots of a template just as readily. */
  deleteLock: (lock: ServerName): Command => line(`del server ${lockTarget(lock)}`),
};

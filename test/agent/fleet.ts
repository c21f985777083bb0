// A HAProxy for a test, and agents whose apps it serves.

import { appFile } from '../bench/app.ts';
import { type Haproxy, type HaproxyOptions, startHaproxy } from '../bench/haproxy.ts';
import { freePort, until } from '../bench/wait.ts';
import { type Agent, startAgent } from './agent-process.ts';

/** A row of `show servers state`, as far as these tests look at it. */
export interface SlotRow {
  name: string;
  address: string;
  port: number;
  admin: number;
}

export const slots = 5;

/** A HAProxy with one backend `app` of five slots. */
export function startLoadBalancer(options: HaproxyOptions = {}): Promise<Haproxy> {
  return startHaproxy({ config: { slots, inter: '500ms' }, ...options });
}

/** The slots that have an app's address, in whichever state, by the port of the app. */
export function heldSlots(haproxy: Haproxy): Promise<Map<number, SlotRow>>;
/** The same, by what `key` makes of them. */
export function heldSlots<K>(haproxy: Haproxy, key: (row: SlotRow) => K): Promise<Map<K, SlotRow>>;
export async function heldSlots(
  haproxy: Haproxy,
  key: (row: SlotRow) => unknown = (row) => row.port,
): Promise<Map<unknown, SlotRow>> {
  const lines = (await haproxy.cli('show servers state app')).split('\n');
  const header =
    lines
      .find((line) => line.startsWith('# '))
      ?.slice(2)
      .split(' ') ?? [];
  const held = new Map<unknown, SlotRow>();
  for (const line of lines) {
    const cells = line.split(' ');
    const cell = (name: string) => cells[header.indexOf(name)] ?? '';
    if (cell('be_name') !== 'app' || !cell('srv_name').startsWith('node')) continue;
    if (isInMaintenance(Number(cell('srv_admin_state'))) && isNobodys(cell('srv_addr'), cell('srv_port')))
      continue;
    const row = {
      name: cell('srv_name'),
      address: cell('srv_addr'),
      port: Number(cell('srv_port')),
      admin: Number(cell('srv_admin_state')),
    };
    held.set(key(row), row);
  }
  return held;
}

const isInMaintenance = (admin: number): boolean => (admin & 0x23) !== 0;

/** The template's own address (bench/haproxy-config.ts), or the one of a slot that was given back. */
const isNobodys = (address: string, port: string): boolean =>
  ['127.0.0.1', '::1'].includes(address) && ['3128', '1'].includes(port);

/** `none`: the slot was given back. `maint`: it is in maintenance and still has the app's address. */
export type SlotState = 'none' | 'maint' | 'ready' | 'drain';

export function stateOf(row: SlotRow | undefined): SlotState {
  if (row === undefined) return 'none';
  if (isInMaintenance(row.admin)) return 'maint';
  return (row.admin & 0x08) !== 0 ? 'drain' : 'ready';
}

export interface Instance extends Agent {
  /** Port of the app. */
  port: number;
}

/** An agent around `command`, by default the bench's app. */
export async function startInstance(
  haproxy: Haproxy,
  env: Readonly<Record<string, string>> = {},
  command: readonly string[] = [process.execPath, appFile],
): Promise<Instance> {
  const port = await freePort();
  const agent = await startAgent(command.length === 0 ? [] : ['--', ...command], {
    HAPROXY_SERVER: `${haproxy.address}:${haproxy.cliPort}`,
    NODE_COUNT: String(slots),
    BERTH_APP_PORT: String(port),
    PORT: String(port),
    HOST: '127.0.0.1',
    ...env,
  });
  return { ...agent, port };
}

/** Resolves when the slot of the app on `port` is as wanted. */
export async function untilSlot(
  haproxy: Haproxy,
  port: number,
  wanted: SlotState,
  deadlineMs = 15_000,
): Promise<void> {
  await until(async () => stateOf((await heldSlots(haproxy)).get(port)) === wanted, {
    what: `the slot of port ${port} is ${wanted}`,
    deadlineMs,
  });
}

/** Resolves when HAProxy counts a running session in backend `app`. */
export async function untilSession(haproxy: Haproxy): Promise<void> {
  await until(
    async () => {
      const [header = '', row = ''] = (await haproxy.cli('show stat app 2 -1')).split('\n');
      return Number(row.split(',')[header.replace('# ', '').split(',').indexOf('scur')]) > 0;
    },
    { what: 'HAProxy counts a session' },
  );
}

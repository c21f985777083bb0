// What the rows of a backend mean: which are slots, which are free, whose they are.
//
// A slot is a server `<prefix><n>` that a `server-template` made: from a name (`localhost`), or `disabled`. A plain
// `server node1 10.0.0.5:80` is neither: it is somebody's intention and never touched.
// A slot is free when it is in maintenance and has a placeholder address: the template's own (loopback or none), or the
// one that Berth writes when it gives a slot back. A slot in maintenance with any other address has an owner who is on
// the way in or out, or is held by an operator.
// A server that Berth has added itself is one too (dynamic-servers.ts); it is free only with the free address.
// On one machine without containers an app may itself live on loopback. There a loopback address counts as the
// template's only if several slots in maintenance have it, or if no two have the same.
import { isIPv4 } from 'node:net';
import { BerthError } from '../errors.ts';
import { listSome } from '../list-some.ts';
import { isUnspecified } from './address.ts';
import type { ServerName } from './commands.ts';
import { type DynamicServers, isDynamic } from './dynamic-servers.ts';
import type { ServerRow } from './servers-state.ts';

export interface SlotTemplate {
  backend: string;
  prefix: string;
  count: number;
}

/** The slots that one agent may have: of a template, or made as they are needed. */
export type Slots = SlotTemplate | DynamicServers;

export interface AppAddress {
  address: string;
  port: number;
}

/** The address of a slot that was given back. Port 1 is nobody's app, and in maintenance nothing is sent there. */
export const freeAddress: AppAddress = { address: '127.0.0.1', port: 1 };

/** The side backend for lock rows of backends whose algorithm takes no dynamic servers. */
export const sideBackend = 'berth-locks';

const maintenanceMask = 0x23;
const drainMask = 0x08;
const disabledInConfigMask = 0x04;

/** Made by a template, see the top of this file. The mark of `disabled` stays for as long as the process lives. */
export const isSlot = (row: ServerRow): boolean =>
  row.templated || (row.adminState & disabledInConfigMask) !== 0;
export const isInMaintenance = (row: ServerRow): boolean => (row.adminState & maintenanceMask) !== 0;
export const isDraining = (row: ServerRow): boolean =>
  !isInMaintenance(row) && (row.adminState & drainMask) !== 0;
/** Takes new traffic as far as its administrative state goes; a failed check may still keep it down. */
export const isEnabled = (row: ServerRow): boolean =>
  !isInMaintenance(row) && (row.adminState & drainMask) === 0;
/** HAProxy's own checks say that nothing answers there. */
export const isDown = (row: ServerRow): boolean => row.operationalState === 0 && !isInMaintenance(row);

export type SlotState = 'ready' | 'drain' | 'maint' | 'down' | 'free';

export const holds = (row: ServerRow, app: AppAddress): boolean =>
  row.address === app.address && row.port === app.port;

export const isLoopback = (address: string): boolean =>
  isIPv4(address) ? address.startsWith('127.') : address === '::1';

/** The slots of `wanted` among `rows`, by number; a row whose number is above the count is not one. */
export function slotsOf(rows: readonly ServerRow[], wanted: Slots): ServerRow[] {
  const all = rows.filter((row) => row.backend === wanted.backend && isSlot(row));
  if ('dynamic' in wanted) return all.filter(isDynamic);
  return all
    .map((row) => ({ row, number: slotNumber(row.name, wanted.prefix) }))
    .filter(({ number }) => number !== undefined && number <= wanted.count)
    .sort((a, b) => (a.number ?? 0) - (b.number ?? 0))
    .map(({ row }) => row);
}

/** The number of the slot called `name`, undefined when it is not `<prefix><n>` with n from 1. */
export function slotNumber(name: string, prefix: string): number | undefined {
  if (!name.startsWith(prefix)) return undefined;
  const digits = name.slice(prefix.length);
  return /^[1-9]\d{0,5}$/.test(digits) ? Number(digits) : undefined;
}

/** How many slots `<prefix>1…` each backend has, without gaps. */
export function countTemplates(rows: readonly ServerRow[], prefix: string): Map<string, number> {
  const numbers = new Map<string, Set<number>>();
  for (const row of rows) {
    const number = slotNumber(row.name, prefix);
    if (number === undefined || !isSlot(row)) continue;
    const known = numbers.get(row.backend) ?? new Set<number>();
    numbers.set(row.backend, known.add(number));
  }
  const counts = new Map<string, number>();
  for (const [backend, known] of numbers) {
    let count = 0;
    while (known.has(count + 1)) count += 1;
    if (count > 0) counts.set(backend, count);
  }
  return counts;
}

/**
 * Finds the backend whose slots are `<prefix>1…<prefix>count`: the one that is named, else the only one that matches.
 * @throws BerthError `slot.no-backend`, `slot.ambiguous-backend` (lists them), `slot.too-few` (says how many there are)
 */
export function findTemplate(
  rows: readonly ServerRow[],
  wanted: { backend: string | undefined; prefix: string; count: number },
): SlotTemplate {
  const { backend, prefix, count } = wanted;
  const counts = countTemplates(rows, prefix);
  if (backend !== undefined) {
    if (!rows.some((row) => row.backend === backend)) {
      const known = listSome([...new Set(rows.map((row) => row.backend))]) || 'none';
      throw new BerthError(
        'slot.no-backend',
        `HAProxy has no backend ${backend} with servers; it has: ${known}`,
        {
          hint: 'set HAPROXY_BACKEND to one of them, or add a server-template to that backend',
        },
      );
    }
    const found = counts.get(backend) ?? 0;
    if (found < count) throw tooFew(backend, prefix, count, found);
    return { backend, prefix, count };
  }
  const matching = [...counts].filter(([, found]) => found >= count).map(([name]) => name);
  if (matching.length > 1) {
    // A template of exactly NODE_COUNT slots is meant before one that merely has as many.
    const exact = matching.filter((name) => counts.get(name) === count);
    if (exact.length === 1 && exact[0] !== undefined) return { backend: exact[0], prefix, count };
    throw new BerthError(
      'slot.ambiguous-backend',
      `several backends have the slots ${prefix}1 to ${prefix}${count}: ${listSome(matching)}`,
      { hint: 'set HAPROXY_BACKEND to the one that is meant' },
    );
  }
  if (matching[0] !== undefined) return { backend: matching[0], prefix, count };
  const [largest] = [...counts].sort((a, b) => b[1] - a[1]);
  if (largest !== undefined) throw tooFew(largest[0], prefix, count, largest[1]);
  throw new BerthError(
    'slot.no-backend',
    `no backend of HAProxy has slots called ${prefix}1, ${prefix}2, …`,
    {
      hint: `add "server-template ${prefix} 1-${count} localhost:3128 check disabled" to the backend, or set HAPROXY_SLOT_PREFIX`,
    },
  );
}

function tooFew(backend: string, prefix: string, count: number, found: number): BerthError {
  return new BerthError(
    'slot.too-few',
    `NODE_COUNT is ${count}, but backend ${backend} has ${found} slot${found === 1 ? '' : 's'} ${prefix}1…`,
    {
      hint: `make the range in haproxy.cfg 1-${count} with a plain hyphen (a dash from a web page gives one slot), or lower NODE_COUNT`,
    },
  );
}

/** The loopback addresses that several slots in maintenance have: the template's own. */
function templateAddresses(slots: readonly ServerRow[]): Set<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const row of slots) {
    if (!isInMaintenance(row) || !isLoopback(row.address)) continue;
    const address = formatAddress(row);
    (seen.has(address) ? shared : seen).add(address);
  }
  return shared;
}

const formatAddress = ({ address, port }: AppAddress): string => `${address} ${port}`;

/** The slots that nobody holds (see the top of this file); `slots` are all of one template, or dynamic ones. */
export function freeSlots(slots: readonly ServerRow[]): ServerRow[] {
  const shared = templateAddresses(slots);
  const template = [...shared].filter((address) => address !== formatAddress(freeAddress));
  const isPlaceholder = (row: ServerRow) =>
    isUnspecified(row.address) ||
    holds(row, freeAddress) ||
    (isLoopback(row.address) && !isDynamic(row) && (template.length === 0 || shared.has(formatAddress(row))));
  return slots.filter((row) => isInMaintenance(row) && isPlaceholder(row));
}

/** Slots that take traffic although their address is a placeholder: HAProxy sends requests to itself. */
export function misdirectedSlots(slots: readonly ServerRow[]): ServerRow[] {
  const shared = templateAddresses(slots);
  return slots.filter(
    (row) =>
      !isInMaintenance(row) &&
      (isUnspecified(row.address) || holds(row, freeAddress) || shared.has(formatAddress(row))),
  );
}

/** The state as the API shows it; `free` says whether `freeSlots` lists the slot. */
export function slotState(row: ServerRow, free: boolean): SlotState {
  if (free) return 'free';
  if (isInMaintenance(row)) return 'maint';
  if (isDraining(row)) return 'drain';
  return isDown(row) ? 'down' : 'ready';
}

/** FNV-1a: spreads ids over slots; any even hash would do. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}

/**
 * Orders free slots for a claimant: the one it had before, then by a hash of id and slot, so that claimants who come
 * at once mostly choose different ones.
 */
export function chooseSlots(
  free: readonly ServerRow[],
  id: string,
  preferred: string | undefined,
): ServerRow[] {
  const rank = (row: ServerRow) => (row.name === preferred ? -1 : hash(`${row.name}/${id}`));
  return free
    .map((row) => ({ row, rank: rank(row) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ row }) => row);
}

/** Name of the row that locks `slot`, in its own backend or in the side backend. */
export function lockFor(slot: ServerName, side: boolean): ServerName {
  return side
    ? { backend: sideBackend, name: `claim.${slot.backend}.${slot.name}` }
    : { backend: slot.backend, name: `claim.${slot.name}` };
}

// Taking a slot and giving it back. Agent and coordinator use this one implementation.
//
//   claim:    read ─ mine already? ──► adopt it, give doubles back
//              └ choose a free slot ─► lock ─ still free? ─► address ─ shown? ─► state ─► unlock
//   release:  lock ─ still mine? ─► maintenance ─► free address ─ shown? ─► unlock
//
// From 2.9 on HAProxy applies an address later than it answers, hence "shown?": reading until it is there, while the
// lock is held. The state comes after the address on the way in and before it on the way out, so that HAProxy never
// sends a request to a placeholder.
import type { Clock } from '../clock.ts';
import { BerthError, isBerthError } from '../errors.ts';
import { commands, type ServerName, type WantedState } from './commands.ts';
import {
  breakLock,
  findRow,
  type HeldLock,
  isLockRow,
  type LockPlace,
  parseRows,
  readCommands,
  staleLocks,
  withLock,
} from './lock.ts';
import type { RuntimeApi } from './runtime-api.ts';
import { parseServersState, type ServerRow, throwIfRefused } from './servers-state.ts';
import {
  type AppAddress,
  chooseSlots,
  freeAddress,
  freeSlots,
  holds,
  isEnabled,
  lockFor,
  type SlotTemplate,
  slotsOf,
} from './slots.ts';

/** What a claim or a release works with. */
export interface SlotContext {
  api: RuntimeApi;
  place: LockPlace;
  clock: Clock;
  /** From 0 up to, not including, 1; jitter. */
  random: () => number;
  signal?: AbortSignal;
}

export interface Claimed {
  slot: ServerName;
  /** True when the slot held the app's address already. */
  adopted: boolean;
}

/** How often a claim tries another slot before it reports that it cannot get one. */
const maxTries = 200;

function pause(context: SlotContext, ms: number): Promise<void> {
  return context.clock.sleep(ms * (0.5 + context.random()), context.signal);
}

/**
 * Gives `app` one slot of `template` in `state`, and leaves it no second one.
 * @throws BerthError `slot.none-free` when every slot is held, `slot.no-lock`, `slot.not-shown`, `haproxy.…`
 */
export async function claimSlot(
  context: SlotContext,
  template: SlotTemplate,
  app: AppAddress,
  wanted: { id: string; preferred: string | undefined; state: WantedState },
): Promise<Claimed> {
  const { api, place, clock, signal } = context;
  const elapsed = () => clock.monotonic();
  const readRows = async () =>
    parseRows((await api.transact(readCommands(template.backend, place.side), signal)).replies);
  let rows: readonly ServerRow[] = await readRows();
  for (let tries = 0; tries < maxTries; tries += 1) {
    signal?.throwIfAborted();
    const slots = slotsOf(rows, template);
    const mine = slots.filter((row) => holds(row, app));
    if (mine.length > 0) return adopt(context, mine, app, wanted);

    const free = freeSlots(slots);
    if (free.length === 0) throw noneFree(template, app);
    const locked = new Set(rows.map((row) => `${row.backend}/${row.name}`));
    const unlocked = free.filter((row) => {
      const lock = lockFor(row, place.side);
      return !locked.has(`${lock.backend}/${lock.name}`);
    });
    const chosen = chooseSlots(unlocked, wanted.id, wanted.preferred)[0];
    if (chosen === undefined) {
      // All free slots are being claimed: by the living, who are quick, or by the dead, whose locks go stale.
      for (const stale of staleLocks(rows)) await breakLock(api, stale, elapsed, signal);
      await pause(context, 20);
      rows = await readRows();
      continue;
    }
    const slot = { backend: chosen.backend, name: chosen.name };
    const act = (held: HeldLock) => take(context, held, slot, template, app, wanted.state);
    const got = await withLock(api, slot, place, elapsed, act, signal);
    if (got.outcome === 'done' && got.value) return { slot, adopted: false };
    // A refusal comes with the rows as they are now, so the next choice needs no read of its own.
    rows = got.outcome === 'busy' && got.rows.length > 0 ? got.rows : await readRows();
  }
  throw new BerthError(
    'slot.lost-race',
    `no slot of ${template.backend} could be had in ${maxTries} tries, though some were free`,
    {
      hint: 'are lock rows (claim.…) left in this backend?',
    },
  );
}

function noneFree(template: SlotTemplate, app: AppAddress): BerthError {
  return new BerthError(
    'slot.none-free',
    `no free slot for ${app.address}:${app.port} in backend ${template.backend}: all ${template.count} are held`,
    {
      hint: 'the app runs on and takes the next slot that is freed; raise the range of the server-template and NODE_COUNT for more',
    },
  );
}

async function take(
  context: SlotContext,
  held: HeldLock,
  slot: ServerName,
  template: SlotTemplate,
  app: AppAddress,
  state: WantedState,
): Promise<boolean> {
  if (findRow(freeSlots(slotsOf(held.rows, template)), slot) === undefined) return false;
  await writeAddress(context, held, slot, app);
  const [reply] = await held.transact([commands.setState(slot, state)]);
  if (reply !== undefined) throwIfRefused(reply, `set server ${slot.backend}/${slot.name} state ${state}`);
  return true;
}

/** Writes an address and reads until HAProxy shows it. The caller holds the lock. */
async function writeAddress(
  context: SlotContext,
  held: HeldLock,
  slot: ServerName,
  app: AppAddress,
): Promise<void> {
  const command = commands.setAddress(slot, app.address, app.port);
  const read = commands.showServersState(slot.backend);
  const [reply, first] = await held.transact([command, read]);
  if (reply !== undefined) throwIfRefused(reply, command);
  let state = first;
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    const row = state === undefined ? undefined : findRow(parseServersState(state), slot);
    if (row !== undefined && holds(row, app)) return;
    if (row === undefined) throw notShown(slot, app, 'the slot is gone');
    await context.clock.sleep(wait, context.signal);
    // Ends by the lock's own bound: held.transact refuses when the lock has been held for too long.
    [state] = await held.transact([read]);
  }
}

function notShown(slot: ServerName, app: AppAddress, why: string): BerthError {
  return new BerthError(
    'slot.not-shown',
    `HAProxy does not show ${app.address}:${app.port} on ${slot.backend}/${slot.name}: ${why}`,
  );
}

async function adopt(
  context: SlotContext,
  mine: readonly ServerRow[],
  app: AppAddress,
  wanted: { preferred: string | undefined; state: WantedState },
): Promise<Claimed> {
  const keep = mine.find((row) => row.name === wanted.preferred) ?? mine.find(isEnabled) ?? mine[0];
  if (keep === undefined) throw new BerthError('slot.lost-race', 'no slot to adopt');
  for (const row of mine) if (row !== keep) await releaseSlot(context, row, app);
  const slot = { backend: keep.backend, name: keep.name };
  const { replies } = await context.api.transact([commands.setState(slot, wanted.state)], context.signal);
  if (replies[0] !== undefined)
    throwIfRefused(replies[0], `set server ${slot.backend}/${slot.name} state ${wanted.state}`);
  return { slot, adopted: true };
}

/**
 * Gives `slot` back if it still holds `app`: maintenance, then the free address. Returns whether it did.
 * `still` is asked again under the lock, with the row as it is then.
 * @throws BerthError `slot.lost-race` when the lock stays busy, `slot.no-lock`, `haproxy.…`
 */
export async function releaseSlot(
  context: SlotContext,
  slot: ServerName,
  app: AppAddress,
  still: (row: ServerRow) => boolean = () => true,
): Promise<boolean> {
  const elapsed = () => context.clock.monotonic();
  const name = { backend: slot.backend, name: slot.name };
  const act = async (held: HeldLock): Promise<boolean> => {
    const row = findRow(held.rows, name);
    if (row === undefined || !holds(row, app) || !still(row)) return false;
    await held.transact([commands.setState(name, 'maint')]);
    await writeAddress(context, held, name, freeAddress);
    return true;
  };
  for (let tries = 0; tries < maxTries; tries += 1) {
    context.signal?.throwIfAborted();
    const done = await withLock(context.api, name, context.place, elapsed, act, context.signal);
    if (done.outcome === 'done') return done.value;
    const lock = lockFor(name, context.place.side);
    const stale = staleLocks(done.rows).find((row) => row.name.endsWith(lock.name));
    if (stale !== undefined) await breakLock(context.api, stale, elapsed, context.signal);
    await pause(context, 20);
  }
  throw new BerthError('slot.lost-race', `the lock of ${name.backend}/${name.name} stayed busy`);
}

/**
 * Clears `app` from slots of other templates: Docker gives a freed address to the next container within seconds, also
 * of another service. Servers that were written into haproxy.cfg with an IP address are somebody's intention and stay.
 * Returns the slots that were freed.
 * @throws BerthError as releaseSlot
 */
export async function clearForeign(
  context: SlotContext,
  rows: readonly ServerRow[],
  own: SlotTemplate,
  app: AppAddress,
): Promise<ServerName[]> {
  const ownNames = new Set(slotsOf(rows, own).map((row) => row.name));
  const foreign = rows.filter(
    (row) =>
      holds(row, app) &&
      !isLockRow(row.name) &&
      (row.templated || row.name.startsWith(own.prefix)) &&
      !(row.backend === own.backend && ownNames.has(row.name)),
  );
  const cleared: ServerName[] = [];
  for (const row of foreign) {
    // A backend whose locks live elsewhere than ours is asked in its own way.
    if (await releaseSlot({ ...context, place: { side: false } }, row, app)) cleared.push(row);
  }
  return cleared;
}

/** True for errors after which a claim or release may simply be tried again. */
export function isTransient(error: unknown): boolean {
  return isBerthError(
    error,
    'haproxy.unreachable',
    'haproxy.timeout',
    'haproxy.bad-reply',
    'haproxy.stopping',
    'slot.lost-race',
    'slot.not-shown',
    'slot.none-free',
    'slot.no-lock',
  );
}

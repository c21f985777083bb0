// Giving a slot back, and clearing an address from slots that it does not belong in.
//
//   lock ─ still mine? ─► maintenance ─► free address ─ shown? ─► unlock
import { BerthError } from '../errors.ts';
import { commands, type ServerName } from './commands.ts';
import { breakLock, findRow, type HeldLock, lockOfAll, staleLocks, withLock } from './lock.ts';
import { type ServerRow, throwUnlessDone } from './servers-state.ts';
import { maxTries, pauseBriefly, type SlotContext, writeAddress } from './slot-write.ts';
import { type AppAddress, freeAddress, holds, isSlot, lockFor, type SlotTemplate, slotsOf } from './slots.ts';

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
    const command = commands.setState(name, 'maint');
    const [reply] = await held.transact([command]);
    throwUnlessDone(reply, command);
    await writeAddress(context, held, name, freeAddress);
    return true;
  };
  for (let tries = 0; tries < maxTries; tries += 1) {
    context.signal?.throwIfAborted();
    const done = await withLock(context.api, name, context.place, elapsed, act, context.signal);
    if (done.outcome === 'done') return done.value;
    const { side } = context.place;
    const awaited = [lockFor(name, side).name, lockOfAll(name.backend, side).name];
    const stale = staleLocks(done.rows).find((row) => awaited.some((lock) => row.name.endsWith(lock)));
    if (stale !== undefined) await breakLock(context.api, stale, elapsed, context.signal);
    await pauseBriefly(context);
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
  const ownSlots = new Set(slotsOf(rows, own));
  const cleared: ServerName[] = [];
  for (const row of rows) {
    if (!isSlot(row) || !holds(row, app) || ownSlots.has(row)) continue;
    // A backend whose locks live elsewhere than ours is asked in its own way.
    if (await releaseSlot({ ...context, place: { side: false } }, row, app)) cleared.push(row);
  }
  return cleared;
}

// Giving a slot back, and clearing an address from slots that it does not belong in.
//
//   lock ─ still mine? ─► maintenance ─► free address ─ shown? ─► unlock
//                              └ one that Berth has added: deleted; refused (it still has connections): free address
import { commands, type ServerName } from './commands.ts';
import { deleteIdle, deleteSoon } from './delete-server.ts';
import { isDynamic } from './dynamic-servers.ts';
import { findRow, type HeldLock } from './lock.ts';
import { type ServerRow, throwUnlessDone } from './servers-state.ts';
import { type SlotContext, writeAddress } from './slot-write.ts';
import { type AppAddress, freeAddress, holds, isSlot, type Slots, slotsOf } from './slots.ts';
import { underLock } from './under-lock.ts';

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
  const name = { backend: slot.backend, name: slot.name };
  return underLock(context, name, async (held: HeldLock): Promise<boolean> => {
    const row = findRow(held.rows, name);
    if (row === undefined || !holds(row, app) || !still(row)) return false;
    const command = commands.setState(name, 'maint');
    const [reply] = await held.transact([command]);
    throwUnlessDone(reply, command);
    if (isDynamic(row) && (await deleteIdle(held.transact, name))) return true;
    await writeAddress(context, held, name, freeAddress);
    if (isDynamic(row)) await deleteSoon(context, held, name);
    return true;
  });
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
  own: Slots,
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

// Leaving a HAProxy: what has the app's address goes out of traffic at once, then it is given back.
import { commands, type ServerName } from '../shared/haproxy/commands.ts';
import { releaseSlot } from '../shared/haproxy/release.ts';
import type { RuntimeApi } from '../shared/haproxy/runtime-api.ts';
import { type ServerRow, throwUnlessDone } from '../shared/haproxy/servers-state.ts';
import type { SlotContext } from '../shared/haproxy/slot-write.ts';
import { type AppAddress, freeSlots, holds, isSlot } from '../shared/haproxy/slots.ts';

/**
 * The slots of all backends that have the app's address. On one machine a template's own address may be the app's as
 * well; those slots are nobody's. Pure.
 */
export function slotsAt(rows: readonly ServerRow[], app: AppAddress): ServerRow[] {
  const found = rows.filter((row) => isSlot(row) && holds(row, app));
  return found.filter((row) => {
    const siblings = rows.filter((each) => each.backend === row.backend && isSlot(each));
    return !freeSlots(siblings).includes(row);
  });
}

/**
 * `tell` is called for each that is given back; `own` is the backend whose lock place the context knows.
 * @throws BerthError `haproxy.…` when HAProxy refuses, as releaseSlot
 */
export async function giveBack(
  context: SlotContext,
  own: string | undefined,
  rows: readonly ServerRow[],
  tell: (slot: ServerName) => void,
): Promise<void> {
  if (rows.length === 0) return;
  // Out of traffic first: the lock that the address needs may take a moment.
  await mute(context.api, rows, context.signal);
  for (const row of rows) {
    const place = row.backend === own ? context.place : { side: false };
    if (await releaseSlot({ ...context, place }, row, row)) tell(row);
  }
}

/** Out of traffic, the address stays. @throws BerthError `haproxy.…` when HAProxy refuses it for one of them */
export async function mute(
  api: RuntimeApi,
  slots: readonly ServerName[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const batch = slots.map((slot) => commands.setState(slot, 'maint'));
  const { replies } = await api.transact(batch, signal);
  batch.forEach((command, index) => {
    throwUnlessDone(replies[index], command);
  });
}

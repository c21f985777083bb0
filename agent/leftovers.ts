// What an instance finds of itself or of others in HAProxy and puts in order, apart from its own slot: what it or its
// address left behind when it arrives, and what the dead left behind, now and then.
import { commands, type ServerName } from '../shared/haproxy/commands.ts';
import { formatHostPort } from '../shared/haproxy/endpoint.ts';
import { breakLock, parseRows, readCommands, staleLocks } from '../shared/haproxy/lock.ts';
import { clearForeign, releaseSlot } from '../shared/haproxy/release.ts';
import type { ServerRow } from '../shared/haproxy/servers-state.ts';
import { throwUnlessDone } from '../shared/haproxy/servers-state.ts';
import type { SlotContext } from '../shared/haproxy/slot-write.ts';
import {
  type AppAddress,
  freeSlots,
  holds,
  isEnabled,
  isInMaintenance,
  lockFor,
  type Slots,
  slotsOf,
} from '../shared/haproxy/slots.ts';
import { attemptTcp } from './probe-attempt.ts';
import type { RememberedSlot } from './slot-memory.ts';

export type Tell = (event: string, slot: ServerName, reason: string) => void;

const answersWithinMs = 500;

interface Arrival {
  context: SlotContext;
  rows: readonly ServerRow[];
  slots: Slots;
  app: AppAddress;
  /** The slot that this container had before, if it remembers one. */
  before: RememberedSlot | undefined;
  signal: AbortSignal;
  tell: Tell;
}

/** First contact with HAProxy from this address, before the app has answered. */
export async function putInOrder({
  context,
  rows,
  slots,
  app,
  before,
  signal,
  tell,
}: Arrival): Promise<void> {
  for (const slot of await clearForeign(context, rows, slots, app))
    tell('slot.released', slot, `${app.address} was given to this container; it belonged to another before`);

  // A slot that serves for an app that is still starting, after a kill: out of traffic until it answers.
  const serving = slotsOf(rows, slots).filter((row) => holds(row, app) && isEnabled(row));
  const silent = serving.length > 0 && !(await answers(app, signal));
  if (silent && 'dynamic' in slots) {
    // Made anew when the app answers: this one has what its last owner wanted of it.
    for (const row of serving)
      if (await releaseSlot(context, row, app))
        tell('slot.released', row, 'no app answers at its address yet');
  } else if (silent) {
    const batch = serving.map((row) => commands.setState(row, 'drain'));
    const { replies } = await context.api.transact(batch, signal);
    batch.forEach((command, index) => {
      throwUnlessDone(replies[index], command);
    });
    for (const row of serving) tell('slot.draining', row, 'it has this address, where no app answers yet');
  }

  const former = before?.backend === slots.backend ? formerSlot(rows, before, app) : undefined;
  if (former === undefined || (await answers(former, signal))) return;
  if (await releaseSlot(context, former, former)) {
    const at = formatHostPort(former.address, former.port);
    tell('slot.released', former, `this container had ${at} before it was restarted`);
  }
}

/**
 * The row of the slot that a container had before it was restarted with another address: its own to give back, unless
 * somebody answers at the old address by now. Pure.
 */
export function formerSlot(
  rows: readonly ServerRow[],
  before: RememberedSlot | undefined,
  app: AppAddress,
): ServerRow | undefined {
  if (before === undefined || (before.address === app.address && before.port === app.port)) return undefined;
  return rows.find((row) => row.backend === before.backend && row.name === before.slot && holds(row, before));
}

/**
 * Removes what nobody else may ever want: lock rows of the dead with the slots that they were about to change, and
 * slots with `app` beside `own`.
 */
export async function sweep(
  context: SlotContext,
  slots: Slots,
  own: ServerName,
  app: AppAddress,
  tell: Tell,
): Promise<void> {
  const { api, place, clock, signal } = context;
  const { replies } = await api.transact(readCommands(slots.backend, place.side), signal);
  const rows = parseRows(replies);
  const all = slotsOf(rows, slots);
  const free = new Set(freeSlots(all));
  const stale = new Set(staleLocks(rows).map(({ name }) => name));
  // A coordinator may have given it another slot just now; then that one is the app's.
  const isOwnMine = all.some((row) => row.name === own.name && holds(row, app));
  for (const row of all) {
    const isHalfDone = isInMaintenance(row) && !free.has(row) && stale.has(lockFor(row, place.side).name);
    const isDouble = isOwnMine && holds(row, app) && row.name !== own.name;
    if (!isHalfDone && !isDouble) continue;
    if (await releaseSlot(context, row, row, isDouble ? undefined : isInMaintenance))
      tell(
        'slot.released',
        row,
        isDouble ? `${own.name} is this app's slot` : 'who was about to change it has died',
      );
  }
  for (const lock of staleLocks(rows)) {
    if (await breakLock(api, lock, () => clock.monotonic(), signal))
      tell('lock.broken', lock, `its holder died ${lock.secondsSinceChange} s ago`);
  }
}

/** Something takes connections there. */
export async function answers(app: AppAddress, signal: AbortSignal): Promise<boolean> {
  return (await attemptTcp(app, answersWithinMs, signal)).ok;
}

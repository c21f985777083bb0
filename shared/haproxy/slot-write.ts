// Writing a slot, under its lock. From 2.9 on HAProxy applies an address later than it answers, hence reading until it
// is there. The state comes after the address on the way in and before it on the way out, so that HAProxy never sends a
// request to a placeholder.
import type { Clock } from '../clock.ts';
import { BerthError } from '../errors.ts';
import { commands, type ServerName } from './commands.ts';
import { findRow, type HeldLock, type LockPlace } from './lock.ts';
import type { RuntimeApi } from './runtime-api.ts';
import { parseServersState, throwIfRefused } from './servers-state.ts';
import { type AppAddress, holds } from './slots.ts';

/** What a claim or a release works with. */
export interface SlotContext {
  api: RuntimeApi;
  place: LockPlace;
  clock: Clock;
  /** From 0 up to, not including, 1; jitter. */
  random: () => number;
  signal?: AbortSignal;
}

/** How often a claim or a release tries again before it reports that others are always faster. */
export const maxTries = 200;

/** About 20 ms, so that those who met do not meet again. */
export function pauseBriefly({ clock, random, signal }: SlotContext): Promise<void> {
  return clock.sleep(20 * (0.5 + random()), signal);
}

/** Writes an address and reads until HAProxy shows it. @throws BerthError `slot.…`, `haproxy.…` */
export async function writeAddress(
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
    if (row === undefined) {
      const what = `${app.address}:${app.port} on ${slot.backend}/${slot.name}`;
      throw new BerthError('slot.not-shown', `HAProxy does not show ${what}: the slot is gone`);
    }
    if (holds(row, app)) return;
    await context.clock.sleep(wait, context.signal);
    // Ends by the lock's own bound: held.transact refuses when the lock has been held for too long.
    [state] = await held.transact([read]);
  }
}

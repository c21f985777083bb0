// Does something under the lock of a slot, waiting for it if need be.
import { BerthError } from '../errors.ts';
import type { ServerName } from './commands.ts';
import { breakLock, type HeldLock, lockOfAll, staleLocks, withLock } from './lock.ts';
import { maxTries, pauseBriefly, type SlotContext } from './slot-write.ts';
import { lockFor } from './slots.ts';

/** @throws BerthError `slot.lost-race` when the lock stays busy, `slot.no-lock`, `haproxy.…`, what `act` throws */
export async function underLock<T>(
  context: SlotContext,
  slot: ServerName,
  act: (held: HeldLock) => Promise<T>,
): Promise<T> {
  const elapsed = () => context.clock.monotonic();
  for (let tries = 0; tries < maxTries; tries += 1) {
    context.signal?.throwIfAborted();
    const done = await withLock(context.api, slot, context.place, elapsed, act, context.signal);
    if (done.outcome === 'done') return done.value;
    const { side } = context.place;
    const awaited = [lockFor(slot, side).name, lockOfAll(slot.backend, side).name];
    const stale = staleLocks(done.rows).find((row) => awaited.some((lock) => row.name.endsWith(lock)));
    if (stale !== undefined) await breakLock(context.api, stale, elapsed, context.signal);
    await pauseBriefly(context);
  }
  throw new BerthError('slot.lost-race', `the lock of ${slot.backend}/${slot.name} stayed busy`);
}

// Taking a slot. Agent and coordinator use this one implementation; giving it back is in release.ts.
//
//   read ─ mine already? ──► adopt it, give doubles back
//    └ choose a free slot ─► lock ─ still free? ─► address ─ shown? ─► state ─► unlock
import { BerthError } from '../errors.ts';
import { commands, type ServerName, type WantedState } from './commands.ts';
import {
  breakLock,
  findRow,
  type HeldLock,
  type LockPlace,
  lockOfAll,
  parseRows,
  readCommands,
  staleLocks,
  withLock,
} from './lock.ts';
import { releaseSlot } from './release.ts';
import { type ServerRow, throwUnlessDone } from './servers-state.ts';
import { maxTries, pauseBriefly, type SlotContext, writeAddress } from './slot-write.ts';
import {
  type AppAddress,
  chooseSlots,
  freeSlots,
  holds,
  isDraining,
  isEnabled,
  lockFor,
  type SlotTemplate,
  slotsOf,
} from './slots.ts';

export interface Claimed {
  slot: ServerName;
  /** True when the slot held the app's address already. */
  adopted: boolean;
}

export interface WantedSlot {
  /** Of the claimant; spreads claimants over the slots. */
  id: string;
  /** The name of the slot that it had before. */
  preferred: string | undefined;
  state: WantedState;
}

/**
 * Gives `app` one slot of `template` in `state`, and leaves it no second one.
 * @throws BerthError `slot.none-free` when every slot is held, `slot.no-lock`, `slot.not-shown`, `haproxy.…`
 */
export async function claimSlot(
  context: SlotContext,
  template: SlotTemplate,
  app: AppAddress,
  wanted: WantedSlot,
): Promise<Claimed> {
  const { api, place, clock, signal } = context;
  const elapsed = () => clock.monotonic();
  const readRows = async () =>
    parseRows((await api.transact(readCommands(template.backend, place.side), signal)).replies);
  let rows: readonly ServerRow[] = await readRows();
  /** What is wanted is being changed: by the living, who are quick, or by the dead, whose locks go stale. */
  const waitForOthers = async () => {
    for (const stale of staleLocks(rows)) await breakLock(api, stale, elapsed, signal);
    await pauseBriefly(context);
    rows = await readRows();
  };
  for (let tries = 0; tries < maxTries; tries += 1) {
    signal?.throwIfAborted();
    const slots = slotsOf(rows, template);
    const mine = slots.filter((row) => holds(row, app));
    const chosen = mine.length > 0 ? chooseMine(mine, wanted) : chooseFree(rows, slots, place, wanted);
    if (chosen === 'none') throw noneFree(template, app);
    if (chosen === 'busy') {
      await waitForOthers();
      continue;
    }
    const slot = { backend: chosen.backend, name: chosen.name };
    let entered: Entered = mine.length > 0 && isAs(chosen, wanted.state) ? 'adopted' : 'not-free';
    if (entered === 'not-free') {
      const act = (held: HeldLock) => enter(context, held, slot, template, app, wanted.state);
      const got = await withLock(api, slot, place, elapsed, act, signal);
      if (got.outcome === 'done') entered = got.value;
      // A refusal comes with the rows as they are now, so that the next choice needs no read of its own.
      else if (mine.length === 0 && got.rows.length > 0) rows = got.rows;
      else await waitForOthers();
      if (got.outcome === 'busy') continue;
    }
    if (entered === 'not-free') {
      rows = await readRows();
      continue;
    }
    for (const row of mine) if (row !== chosen) await releaseSlot(context, row, app);
    return { slot, adopted: entered === 'adopted' };
  }
  throw new BerthError(
    'slot.lost-race',
    `no slot of ${template.backend} could be had in ${maxTries} tries, though some were free`,
    {
      hint: 'are lock rows (claim.…) left in this backend?',
    },
  );
}

const isAs = (row: ServerRow, state: WantedState): boolean =>
  (state === 'ready' && isEnabled(row)) || (state === 'drain' && isDraining(row));

/** Of several slots with the app's address: the one it had, else one that serves, else any. */
function chooseMine(mine: readonly ServerRow[], { preferred }: WantedSlot): ServerRow | 'none' {
  return mine.find((row) => row.name === preferred) ?? mine.find(isEnabled) ?? mine[0] ?? 'none';
}

function chooseFree(
  rows: readonly ServerRow[],
  slots: readonly ServerRow[],
  place: LockPlace,
  { id, preferred }: WantedSlot,
): ServerRow | 'none' | 'busy' {
  const free = freeSlots(slots);
  if (free.length === 0) return 'none';
  const names = new Set(rows.map((row) => `${row.backend}/${row.name}`));
  const has = (lock: ServerName) => names.has(`${lock.backend}/${lock.name}`);
  if (free.some((row) => has(lockOfAll(row.backend, place.side)))) return 'busy';
  const unlocked = free.filter((row) => !has(lockFor(row, place.side)));
  // After a restart of HAProxy it is most likely the coordinator that is giving me back the slot that I had.
  if (free.some((row) => row.name === preferred && !unlocked.includes(row))) return 'busy';
  return chooseSlots(unlocked, id, preferred)[0] ?? 'busy';
}

type Entered = 'adopted' | 'claimed' | 'not-free';

/** Under the lock: looks again, and makes the slot the app's. */
async function enter(
  context: SlotContext,
  held: HeldLock,
  slot: ServerName,
  template: SlotTemplate,
  app: AppAddress,
  state: WantedState,
): Promise<Entered> {
  const slots = slotsOf(held.rows, template);
  const row = findRow(slots, slot);
  const adopted = row !== undefined && holds(row, app);
  if (!adopted) {
    if (findRow(freeSlots(slots), slot) === undefined) return 'not-free';
    await writeAddress(context, held, slot, app);
  }
  const command = commands.setState(slot, state);
  const [reply] = await held.finish([command]);
  throwUnlessDone(reply, command);
  return adopted ? 'adopted' : 'claimed';
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

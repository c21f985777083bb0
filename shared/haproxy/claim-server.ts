// The second way in: a server of the app's own is added, in place of a slot that is taken.
//
//   lock ─ no row of that name ─────────────────────► add ─► checks on, state ─► unlock
//     ├ my address, in traffic or drain ────────────► state ─► unlock                      (adopted)
//     └ in maintenance, or another address: delete ─► add, as above
//                                             └ refused: address, shown? ─► checks on, state ─► unlock
//
// The name is that of the app's address, so nobody else wants it. The lock is for those who take the row away from its
// last owner meanwhile, or who take this one for gone: without it a state that comes late puts into traffic what has
// just been given back.
import { BerthError } from '../errors.ts';
import type { Claimed } from './claim.ts';
import { type Command, commands, type ServerName, type WantedState } from './commands.ts';
import { deleteIdle } from './delete-server.ts';
import { dynamicName } from './dynamic-servers.ts';
import { findRow, type HeldLock, staticText, takenText } from './lock.ts';
import type { Reply } from './reply-reader.ts';
import { hasCheck } from './server-parameters.ts';
import { throwIfRefused, throwUnlessDone } from './servers-state.ts';
import { type SlotContext, writeAddress } from './slot-write.ts';
import { type AppAddress, holds, isDraining, isInMaintenance } from './slots.ts';
import { underLock } from './under-lock.ts';

export interface WantedServer {
  backend: string;
  prefix: string;
  /** Checked by parseServerParameters. */
  parameters: string;
  state: WantedState;
}

/**
 * Gives `app` a server of its own in `state`.
 * @throws BerthError `slot.static-balance`, `slot.no-backend`, `slot.not-shown`, `slot.lost-race`, `haproxy.…`
 */
export async function claimServer(
  context: SlotContext,
  app: AppAddress,
  wanted: WantedServer,
): Promise<Claimed> {
  const slot: ServerName = { backend: wanted.backend, name: dynamicName(wanted.prefix, app) };
  // The lock is in the backend itself: one that takes no lock rows takes no servers either.
  const own = { ...context, place: { side: false } };
  try {
    const adopted = await underLock(own, slot, (held) => enter(own, held, slot, app, wanted));
    return { slot, adopted };
  } catch (error) {
    throw own.place.side ? staticBalance(wanted.backend) : error;
  }
}

/** Under the lock: makes a row, or the row that is there the app's. Returns whether that was the app's already. */
async function enter(
  context: SlotContext,
  held: HeldLock,
  slot: ServerName,
  app: AppAddress,
  wanted: WantedServer,
): Promise<boolean> {
  const row = findRow(held.rows, slot);
  const adopted = row !== undefined && holds(row, app);
  const state = commands.setState(slot, wanted.state);
  if (adopted && !isInMaintenance(row)) {
    const isAs = (wanted.state === 'drain') === isDraining(row);
    if (!isAs) throwUnlessDone((await held.finish([state]))[0], state);
    return true;
  }
  // Made anew it has the parameters of today; those of a row that must stay are its last owner's.
  const isKept = row !== undefined && !(await isOutOfTheWay(held, slot));
  if (isKept && !adopted) await writeAddress(context, held, slot, app);
  if (!isKept) {
    const add = commands.addServer(slot, app, wanted.parameters);
    const [added] = await held.transact([add]);
    if (!isAdded(added, add, slot))
      throw new BerthError('slot.lost-race', `somebody else has added ${slot.backend}/${slot.name}`);
  }
  const batch = openingCommands(slot, wanted.parameters, wanted.state);
  // Who had a kept row may have had no checks to enable; what counts is the state, the last of them.
  throwUnlessDone((await held.finish(batch)).at(batch.length - 1), state);
  return adopted;
}

async function isOutOfTheWay(held: HeldLock, slot: ServerName): Promise<boolean> {
  const mute = commands.setState(slot, 'maint');
  const [muted] = await held.transact([mute]);
  throwUnlessDone(muted, mute);
  return deleteIdle(held.transact, slot);
}

/** The row has been made by this very command. @throws BerthError what HAProxy refused for another reason than its name */
export function isAdded(reply: Reply | undefined, command: Command, { backend }: ServerName): boolean {
  if (reply === undefined || reply.text.includes(takenText)) return false;
  if (reply.text.includes('New server registered')) return true;
  if (reply.text.includes(staticText)) throw staticBalance(backend);
  throwIfRefused(reply, command);
  throw new BerthError('haproxy.refused', `HAProxy refused "${command}": ${reply.text.split('\n')[0]}`, {
    hint: 'dynamic servers need HAProxy 2.6 or later, and HAPROXY_SERVER_PARAMETERS that it knows',
  });
}

function staticBalance(backend: string): BerthError {
  return new BerthError(
    'slot.static-balance',
    `backend ${backend} is balanced by a hash, and such a backend takes no servers at run time`,
    { hint: 'use `balance roundrobin`, `leastconn` or `random` there, or a server-template and NODE_COUNT' },
  );
}

/** What brings a row that is in maintenance into `state`; the state is the last of them. */
export function openingCommands(slot: ServerName, parameters: string, state: WantedState): Command[] {
  return [...(hasCheck(parameters) ? [commands.enableHealth(slot)] : []), commands.setState(slot, state)];
}

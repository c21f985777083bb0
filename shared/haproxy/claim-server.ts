// The second way in: a server of the app's own is added, in place of a slot that is taken.
//
//   add ─ registered ─► checks on, state
//     └ exists ─► lock ─ my address, in traffic or drain? ─► state                       (adopted)
//                   └ in maintenance, or another address ─► delete it and add again; refused: address, state
//
// `add server` is itself a test-and-set on the name, and the name is that of the app's address: who comes first makes
// the row, and nobody else wants it. A lock is needed only where a row is there already, since somebody else may be
// taking it away from its last owner.
import { BerthError } from '../errors.ts';
import type { Claimed } from './claim.ts';
import { type Command, commands, type ServerName, type WantedState } from './commands.ts';
import { deleteIdle } from './delete-server.ts';
import { dynamicName } from './dynamic-servers.ts';
import { findRow, type HeldLock, staticText, takenText } from './lock.ts';
import type { Reply } from './reply-reader.ts';
import { hasCheck } from './server-parameters.ts';
import { throwIfRefused, throwUnlessDone } from './servers-state.ts';
import { maxTries, type SlotContext, writeAddress } from './slot-write.ts';
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
  const { api, signal } = context;
  const slot: ServerName = { backend: wanted.backend, name: dynamicName(wanted.prefix, app) };
  const add = commands.addServer(slot, app, wanted.parameters);
  for (let tries = 0; tries < maxTries; tries += 1) {
    signal?.throwIfAborted();
    const { replies } = await api.transact([add], signal);
    if (isAdded(replies[0], add, slot)) {
      const batch = openingCommands(slot, wanted);
      const opened = await api.transact(batch, signal);
      batch.forEach((command, index) => {
        throwUnlessDone(opened.replies[index], command);
      });
      return { slot, adopted: false };
    }
    const got = await underLock(context, slot, (held) => takeOver(context, held, slot, app, wanted));
    if (got !== 'gone') return { slot, adopted: got === 'adopted' };
  }
  throw new BerthError('slot.lost-race', `${slot.backend}/${slot.name} was deleted ${maxTries} times`);
}

/** The row has been made by this very command. @throws BerthError what HAProxy refused for another reason than its name */
export function isAdded(reply: Reply | undefined, command: Command, { backend }: ServerName): boolean {
  if (reply === undefined || reply.text.includes(takenText)) return false;
  if (reply.text.includes('New server registered')) return true;
  if (reply.text.includes(staticText)) {
    throw new BerthError(
      'slot.static-balance',
      `backend ${backend} is balanced by a hash, and such a backend takes no servers at run time`,
      {
        hint: 'use `balance roundrobin`, `leastconn` or `random` there, or a server-template and NODE_COUNT',
      },
    );
  }
  throwIfRefused(reply, command);
  throw new BerthError('haproxy.refused', `HAProxy refused "${command}": ${reply.text.split('\n')[0]}`, {
    hint: 'dynamic servers need HAProxy 2.6 or later, and HAPROXY_SERVER_PARAMETERS that it knows',
  });
}

/** What brings a row that is in maintenance into `state`. */
export function openingCommands(
  slot: ServerName,
  { parameters, state }: Pick<WantedServer, 'parameters' | 'state'>,
): Command[] {
  return [...(hasCheck(parameters) ? [commands.enableHealth(slot)] : []), commands.setState(slot, state)];
}

/** Under the lock: makes the row that is there the app's, or makes way for a new one. */
async function takeOver(
  context: SlotContext,
  held: HeldLock,
  slot: ServerName,
  app: AppAddress,
  wanted: WantedServer,
): Promise<'adopted' | 'claimed' | 'gone'> {
  const row = findRow(held.rows, slot);
  if (row === undefined) return 'gone';
  const adopted = holds(row, app);
  if (adopted && !isInMaintenance(row)) {
    if ((wanted.state === 'drain') !== isDraining(row)) {
      const command = commands.setState(slot, wanted.state);
      const [reply] = await held.finish([command]);
      throwUnlessDone(reply, command);
    }
    return 'adopted';
  }
  const mute = commands.setState(slot, 'maint');
  const [muted] = await held.transact([mute]);
  throwUnlessDone(muted, mute);
  // Made anew it has the parameters of today; those of a row that must stay are its last owner's.
  if (await deleteIdle(held.transact, slot)) return 'gone';
  if (!adopted) await writeAddress(context, held, slot, app);
  const batch = openingCommands(slot, wanted);
  // Its last owner may have had no checks to enable; what counts is the state, the last of them.
  throwUnlessDone((await held.finish(batch)).at(batch.length - 1), commands.setState(slot, wanted.state));
  return adopted ? 'adopted' : 'claimed';
}

// The lock on a slot: a row that `add server` makes, a true test-and-set (HAPROXY.md, "Claiming").
//
// INVARIANTS
// 1. The address of a slot changes only while the one who changes it holds the slot's lock row.
// 2. A holder stops acting, and does not even delete its row, once it has held it for `holdMs`. Only a row older than
//    `staleSeconds` is broken. holdMs plus the time of one transaction is well below it, so whoever's row is broken
//    has died or has given up.
// 3. A row is broken only by one who holds the row `break.<row>` and has looked again. `break.…` rows are lock rows
//    themselves and are broken in the same way, one level up: claim.x, break.claim.x, break.break.claim.x. A level is
//    needed only when a breaker died while it was breaking.
// 4. One who changes many slots takes the lock of all slots of the backend instead, one row. Everybody makes his row
//    first and reads then, so that of two who do it at the same time at least one sees the other's row: the holder of
//    one slot's lock gives up when he sees the lock of all, the holder of all leaves alone whose lock he sees.
import { BerthError } from '../errors.ts';
import { type Command, commands, type ServerName } from './commands.ts';
import type { Reply } from './reply-reader.ts';
import type { RuntimeApi } from './runtime-api.ts';
import { parseServersState, type ServerRow, throwIfRefused } from './servers-state.ts';
import { freeAddress, holds, isInMaintenance, isSlot, lockFor, sideBackend } from './slots.ts';

/** A holder gives up after this long; a transaction is bounded by 2 s (runtime-api.ts). */
export const holdMs = 2500;
/** A row that is this old has no living holder. Ages are whole seconds, so one more than holdMs + 2 s, rounded up. */
export const staleSeconds = 6;

export const takenText = 'Already exists a server with the same name';
const deletedText = 'Server deleted.';
export const staticText = 'must use a dynamic load balancing';

/** Made by `commands.addLock`: by its name, in maintenance, with nobody's address; not a server that somebody wrote. */
export const isLockRow = (row: ServerRow): boolean =>
  /^(?:break\.)*claim\./.test(row.name) && !isSlot(row) && isInMaintenance(row) && holds(row, freeAddress);

export const findRow = (rows: readonly ServerRow[], { backend, name }: ServerName): ServerRow | undefined =>
  rows.find((row) => row.backend === backend && row.name === name);

/** Name of the row that locks all slots of `backend`. */
export const lockOfAll = (backend: string, side: boolean): ServerName =>
  lockFor({ backend, name: ':all:' }, side);

/** The outcome of an `add server` for a lock row. @throws BerthError what HAProxy refused for another reason */
export function lockOutcome(reply: Reply, lock: ServerName): 'taken' | 'refused' | 'static' {
  if (reply.text.startsWith('New server registered')) return 'taken';
  if (reply.text.startsWith(takenText)) return 'refused';
  if (reply.text.includes(staticText)) return 'static';
  if (/^(?:No such backend|Can't find backend)/.test(reply.text) && lock.backend === sideBackend) {
    throw new BerthError('slot.no-lock', `HAProxy has no backend ${sideBackend} for lock rows`, {
      hint: `a backend with a hash algorithm takes no lock rows: add "backend ${sideBackend}" with "balance roundrobin" to haproxy.cfg`,
    });
  }
  throwIfRefused(reply, `add server ${lock.backend}/${lock.name}`);
  throw new BerthError(
    'slot.no-lock',
    `HAProxy gave no lock row ${lock.backend}/${lock.name}: ${reply.text || 'empty reply'}`,
    {
      hint: 'HAProxy 2.6 or later is needed, and `level admin` on the stats socket',
    },
  );
}

/** The commands that read a backend's rows and its lock rows, wherever these are kept. */
export function readCommands(backend: string, side: boolean): Command[] {
  return side
    ? [commands.showServersState(backend), commands.showServersState(sideBackend)]
    : [commands.showServersState(backend)];
}

/** Parses the replies to `readCommands`. A side backend that has no server yet answers with no rows. */
export function parseRows(replies: readonly Reply[]): ServerRow[] {
  return replies.flatMap((reply) => parseServersState(reply));
}

/** The lock rows among `rows` that are stale, outermost breakers first. */
export function staleLocks(rows: readonly ServerRow[]): ServerRow[] {
  return rows
    .filter((row) => isLockRow(row) && row.secondsSinceChange >= staleSeconds)
    .sort((a, b) => b.name.length - a.name.length);
}

/**
 * Removes a stale lock row, by invariant 3. Returns whether this call removed it; false means that somebody else is at
 * it, or that it is not stale after all.
 * @throws BerthError when HAProxy cannot be asked
 */
export async function breakLock(
  api: RuntimeApi,
  row: ServerName,
  elapsed: () => number,
  signal?: AbortSignal,
): Promise<boolean> {
  const breaker: ServerName = { backend: row.backend, name: `break.${row.name}` };
  const started = elapsed();
  const { replies } = await api.transact(
    [commands.addLock(breaker), commands.showServersState(row.backend)],
    signal,
  );
  const [added, state] = replies;
  if (added === undefined || state === undefined) return false;
  const rows = parseServersState(state);
  if (lockOutcome(added, breaker) !== 'taken') {
    const other = findRow(rows, breaker);
    if (other !== undefined && other.secondsSinceChange >= staleSeconds)
      await breakLock(api, breaker, elapsed, signal);
    return false;
  }
  const again = findRow(rows, row);
  const stale = again !== undefined && again.secondsSinceChange >= staleSeconds;
  if (elapsed() - started > holdMs) return false;
  const drop = [...(stale ? [commands.deleteLock(row)] : []), commands.deleteLock(breaker)];
  const { replies: dropped } = await api.transact(drop, signal);
  return stale && dropped[0]?.text === deletedText;
}

/** What `withLock` hands to the one who holds the lock. */
export interface HeldLock {
  /** The rows as they were read after the lock was taken. */
  rows: readonly ServerRow[];
  /** Runs commands while the lock is certainly still held. @throws BerthError `slot.no-lock` when held for too long */
  transact(batch: readonly Command[]): Promise<readonly Reply[]>;
  /** The same, and gives the lock back with them. */
  finish(batch: readonly Command[]): Promise<readonly Reply[]>;
}

/** Remembers, for each backend, that its locks are kept in the side backend. */
export interface LockPlace {
  side: boolean;
}

/** What came of a try at a lock; `rows` are the rows as they were when somebody else held it. */
export type LockResult<T> = { outcome: 'done'; value: T } | { outcome: 'busy'; rows: readonly ServerRow[] };

/**
 * Takes the lock of `slot`, or of all slots of its backend, runs `act`, gives the lock back. The outcome is `busy` when
 * somebody else holds it.
 * @throws BerthError what `act` throws, and `slot.no-lock`; the row is given back unless HAProxy is out of reach
 */
export async function withLock<T>(
  api: RuntimeApi,
  slot: ServerName | { backend: string; all: true },
  place: LockPlace,
  elapsed: () => number,
  act: (held: HeldLock) => Promise<T>,
  signal?: AbortSignal,
): Promise<LockResult<T>> {
  const { backend } = slot;
  const all = lockOfAll(backend, place.side);
  const lock = 'all' in slot ? all : lockFor(slot, place.side);
  const started = elapsed();
  const { replies } = await api.transact(
    [commands.addLock(lock), ...readCommands(backend, place.side)],
    signal,
  );
  const [added, ...states] = replies;
  if (added === undefined) return { outcome: 'busy', rows: [] };
  const outcome = lockOutcome(added, lock);
  if (outcome === 'static' && !place.side) {
    place.side = true;
    return withLock(api, slot, place, elapsed, act, signal);
  }
  const rows = parseRows(states);
  if (outcome !== 'taken') return { outcome: 'busy', rows };
  let isBack = false;
  const transact = async (batch: readonly Command[]) => {
    if (elapsed() - started > holdMs) {
      throw new BerthError(
        'slot.no-lock',
        `${lock.backend}/${lock.name} was held for more than ${holdMs} ms`,
        {
          hint: 'HAProxy answers slowly; the change is tried again',
        },
      );
    }
    return (await api.transact(batch, signal)).replies;
  };
  const finish = async (batch: readonly Command[]) => {
    signal?.throwIfAborted();
    // Whatever comes of it: when the reply is lost the row may be gone, and one of that name be somebody else's by now.
    isBack = true;
    return transact([...batch, commands.deleteLock(lock)]);
  };
  try {
    if (!('all' in slot) && findRow(rows, all) !== undefined) return { outcome: 'busy', rows };
    return { outcome: 'done', value: await act({ rows, transact, finish }) };
  } finally {
    if (!isBack && elapsed() - started <= holdMs) {
      // A row that cannot be given back goes stale and is broken by the next one who wants the slot.
      await api.transact([commands.deleteLock(lock)]).catch(() => undefined);
    }
  }
}

// One row of the inbox: a firing (or a document that led to none), and what became of it.
//
//   unprocessed ──► processed   a decision or a repair has taken it up
//        ├────────► skipped     a repeat, out of date, over before anything needed it; or held for now: silenced,
//        │             │        paused, at a bound, in a cooldown. Taken up later, as long as its alert lives
//        ├◄────────────┘
//   failed                      could not be read, or the act that it asked for failed
import type { AlertSignal, Dialect } from './alert-signal.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { Now, PoolEntry } from './judge-alert.ts';

export const alertStates = ['unprocessed', 'processed', 'skipped', 'failed'] as const;
export type AlertState = (typeof alertStates)[number];

export const alertStatuses = ['firing', 'resolved', 'expired', 'unreadable'] as const;
export type AlertStatus = (typeof alertStatuses)[number];

export interface InboxRow {
  readonly id: string;
  readonly fingerprint: string;
  readonly dialect: Dialect;
  readonly name: string | null;
  readonly service: string | null;
  readonly container: string | null;
  readonly action: string | null;
  readonly severity: string | null;
  readonly status: AlertStatus;
  readonly state: AlertState;
  readonly reason: string;
  /** How often the same was heard again. */
  readonly repeats: number;
  /** Wall milliseconds. */
  readonly startsAt: number | null;
  readonly receivedAt: number;
  readonly heardAt: number;
  readonly expiresAt: number | null;
  readonly endedAt: number | null;
  /** Of firings: what a later run goes on with. */
  readonly signal: AlertSignal | null;
  /** The document itself when it could not be read, clipped. */
  readonly document: string | null;
}

/** Of a row that nothing has taken up yet. */
export const waiting = { state: 'unprocessed', reason: 'waits for a decision' } as const;

/** The row of a firing. Its id is made of what identifies the firing: whoever receives it again writes the same row. */
export function firingRow(entry: PoolEntry, now: Now): InboxRow {
  const { signal } = entry;
  return {
    id: fingerprintOf(signal.fingerprint, entry.startsAt),
    ...aboutOf(signal),
    status: 'firing',
    ...waiting,
    repeats: 0,
    startsAt: entry.startsAt,
    receivedAt: now.wall,
    heardAt: now.wall,
    expiresAt: wallOf(entry.expiresAt, now),
    endedAt: null,
    signal,
    document: null,
  };
}

/** The row of a message that changed nothing. */
export function ignoredRow(signal: AlertSignal, reason: string, now: Now): InboxRow {
  const which = signal.startsAt ?? signal.sentAt ?? now.wall;
  return {
    id: fingerprintOf('ignored', signal.fingerprint, which, signal.status, reason),
    ...aboutOf(signal),
    status: signal.status,
    state: 'skipped',
    reason,
    repeats: 0,
    startsAt: signal.startsAt ?? null,
    receivedAt: now.wall,
    heardAt: now.wall,
    expiresAt: null,
    endedAt: null,
    signal: null,
    document: null,
  };
}

/** The mark that a resolve leaves for a firing that may come late. */
export function markRow(entry: PoolEntry, reason: string, now: Now): InboxRow {
  const row = firingRow(entry, now);
  return { ...row, status: 'resolved', state: 'skipped', reason, expiresAt: null, endedAt: now.wall };
}

export function unreadableRow(
  dialect: Dialect,
  document: string,
  about: { name?: string | undefined; service?: string | undefined },
  reason: string,
  now: Now,
): InboxRow {
  const id = fingerprintOf('unreadable', dialect, document);
  return {
    id,
    fingerprint: `${dialect}:unreadable-${id}`,
    dialect,
    name: about.name ?? null,
    service: about.service ?? null,
    container: null,
    action: null,
    severity: null,
    status: 'unreadable',
    state: 'failed',
    reason,
    repeats: 0,
    startsAt: null,
    receivedAt: now.wall,
    heardAt: now.wall,
    expiresAt: null,
    endedAt: null,
    signal: null,
    document: document.length <= maxDocument ? document : `${document.slice(0, maxDocument - 1)}…`,
  };
}

const maxDocument = 4000;

export function wallOf(monotonic: number, now: Now): number {
  return Math.round(now.wall + monotonic - now.monotonic);
}

function aboutOf(signal: AlertSignal) {
  return {
    fingerprint: signal.fingerprint,
    dialect: signal.dialect,
    name: signal.name,
    service: signal.service ?? (signal.container === undefined ? (signal.haproxy?.backend ?? null) : null),
    container: signal.container?.name ?? signal.container?.id ?? null,
    action: signal.action ?? null,
    severity: signal.severity ?? null,
  };
}

/** The other way: what a row of an earlier run says about its firing; undefined when it is about none. */
export function restoredEntry(row: InboxRow, now: Now): PoolEntry | undefined {
  const { signal, startsAt, endedAt, expiresAt } = row;
  if (signal === null || startsAt === null) return undefined;
  const monotonic = (wall: number) => now.monotonic + wall - now.wall;
  const why = row.status === 'expired' ? 'expired' : 'resolved';
  return {
    signal,
    startsAt,
    heardAt: Math.min(now.monotonic, monotonic(row.heardAt)),
    expiresAt: monotonic(expiresAt ?? endedAt ?? now.wall),
    end:
      endedAt === null
        ? undefined
        : { at: Math.min(now.monotonic, monotonic(endedAt)), atWall: endedAt, why },
  };
}

/** The row of a firing that is over. What nothing has taken up until then is skipped. */
export function endedRow(row: InboxRow, status: 'resolved' | 'expired', wall: number): InboxRow {
  const over = status === 'resolved' ? 'it was over' : 'nobody repeated it, and its time to live was over';
  const unused =
    row.state === 'unprocessed'
      ? { state: 'skipped' as const, reason: `${over} before anything took it up` }
      : {};
  return { ...row, status, endedAt: wall, heardAt: wall, ...unused };
}

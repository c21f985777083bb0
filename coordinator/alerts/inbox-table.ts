// The inbox in the database.
import type { Kysely, Transaction } from 'kysely';
import type { AlertInboxTable, Tables } from '../store/tables.ts';
import { alertSignalSchema, type Dialect, dialects } from './alert-signal.ts';
import { type AlertState, alertStates, alertStatuses, type InboxRow } from './inbox-row.ts';

export interface InboxFilter {
  state?: AlertState | undefined;
  status?: InboxRow['status'] | undefined;
  service?: string | undefined;
  name?: string | undefined;
  fingerprint?: string | undefined;
  dialect?: Dialect | undefined;
}

export interface InboxPage {
  items: InboxRow[];
  /** The cursor of the next page; not there on the last one. */
  next?: string;
}

/** Below the number of parameters that each database takes in one statement. */
const rowsAtOnce = 500;

/** Writes rows over what is there. To be called in a transaction. */
export async function saveInboxRows(db: Transaction<Tables>, rows: readonly InboxRow[]): Promise<void> {
  for (let start = 0; start < rows.length; start += rowsAtOnce) {
    const some = rows.slice(start, start + rowsAtOnce);
    const ids = some.map((row) => row.id);
    // Each database has an upsert of its own; delete and insert in one transaction is the same in all of them.
    await db.deleteFrom('alert_inbox').where('id', 'in', ids).execute();
    await db.insertInto('alert_inbox').values(some.map(toTable)).execute();
  }
}

/** What an earlier run or another coordinator knows: live firings, and those that ended after `endedSince`. */
export async function loadFirings(db: Kysely<Tables>, now: number, endedSince: number): Promise<InboxRow[]> {
  const live = await db
    .selectFrom('alert_inbox')
    .selectAll()
    .where('ended_at', 'is', null)
    .where('expires_at', '>', now)
    .execute();
  const ended = await db.selectFrom('alert_inbox').selectAll().where('ended_at', '>', endedSince).execute();
  return [...live, ...ended].map(fromTable);
}

/** A page, newest first. `cursor` is the `next` of the page before. */
export async function selectInboxRows(
  db: Kysely<Tables>,
  filter: InboxFilter,
  cursor: string | undefined,
  limit: number,
): Promise<InboxPage> {
  let query = db.selectFrom('alert_inbox').selectAll();
  for (const column of ['state', 'status', 'service', 'name', 'fingerprint', 'dialect'] as const) {
    const wanted = filter[column];
    if (wanted !== undefined) query = query.where(column, '=', wanted);
  }
  const after = parseCursor(cursor);
  if (after !== undefined) {
    const { receivedAt, id } = after;
    query = query.where((where) =>
      where.or([
        where('received_at', '<', receivedAt),
        where.and([where('received_at', '=', receivedAt), where('id', '<', id)]),
      ]),
    );
  }
  const found = await query
    .orderBy('received_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const items = found.slice(0, limit).map(fromTable);
  const last = items.at(-1);
  return found.length > limit && last !== undefined
    ? { items, next: `${last.receivedAt}.${last.id}` }
    : { items };
}

/** Deletes what was received before `before` (wall milliseconds) and does not live any more, at most `limit` rows. */
export async function deleteInboxRows(
  db: Transaction<Tables>,
  before: number,
  limit: number,
): Promise<number> {
  const old = await db
    .selectFrom('alert_inbox')
    .select('id')
    .where('received_at', '<', before)
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '<', before)]))
    .limit(limit)
    .execute();
  const ids = old.map((row) => row.id);
  if (ids.length > 0) await db.deleteFrom('alert_inbox').where('id', 'in', ids).execute();
  return ids.length;
}

function parseCursor(cursor: string | undefined): { receivedAt: number; id: string } | undefined {
  const [, receivedAt, id] = /^(\d{1,15})\.(\w{1,32})$/.exec(cursor ?? '') ?? [];
  return receivedAt === undefined || id === undefined ? undefined : { receivedAt: Number(receivedAt), id };
}

function toTable(row: InboxRow): AlertInboxTable {
  const { startsAt, receivedAt, heardAt, expiresAt, endedAt, signal, ...same } = row;
  return {
    ...same,
    reason: row.reason.slice(0, 4000).replaceAll('\0', ''),
    document: row.document?.replaceAll('\0', '') ?? null,
    starts_at: startsAt,
    received_at: Math.round(receivedAt),
    heard_at: Math.round(heardAt),
    expires_at: expiresAt,
    ended_at: endedAt === null ? null : Math.round(endedAt),
    signal: signal === null ? null : JSON.stringify(signal),
  };
}

function fromTable(row: AlertInboxTable): InboxRow {
  const signal = alertSignalSchema.safeParse(row.signal === null ? undefined : parseJson(row.signal));
  return {
    id: row.id,
    fingerprint: row.fingerprint,
    dialect: dialects.find((dialect) => dialect === row.dialect) ?? 'generic',
    name: row.name,
    service: row.service,
    container: row.container,
    action: row.action,
    severity: row.severity,
    status: alertStatuses.find((status) => status === row.status) ?? 'unreadable',
    state: alertStates.find((state) => state === row.state) ?? 'failed',
    reason: row.reason,
    repeats: row.repeats,
    startsAt: row.starts_at,
    receivedAt: row.received_at,
    heardAt: row.heard_at,
    expiresAt: row.expires_at,
    endedAt: row.ended_at,
    signal: signal.success ? signal.data : null,
    document: row.document,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

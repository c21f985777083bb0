// Rows of the audit in the database: written once each, read by page.
import { type Kysely, type Selectable, type SelectQueryBuilder, sql, type Transaction } from 'kysely';
import type { AuditTable, Tables } from '../store/tables.ts';
import type { AuditRow } from './audit-entry.ts';

export interface AuditFilter {
  /** A whole event (`slot.repaired`) or the start of several (`slot.*`). */
  event?: string | undefined;
  actor?: string | undefined;
  outcome?: AuditRow['outcome'] | undefined;
  agent?: string | undefined;
  container?: string | undefined;
  service?: string | undefined;
  haproxy?: string | undefined;
  backend?: string | undefined;
  slot?: string | undefined;
  policy?: string | undefined;
  /** Wall milliseconds, inclusive. */
  since?: number | undefined;
  /** Wall milliseconds, exclusive. */
  until?: number | undefined;
}

export interface AuditPage {
  items: AuditRow[];
  /** The cursor of the next page; undefined on the last one. */
  next?: string;
}

/** Writes the rows that are not there yet. To be called in a transaction: a batch is written as a whole. */
export async function insertAuditRows(db: Transaction<Tables>, rows: readonly AuditRow[]): Promise<void> {
  const ids = rows.map((row) => row.id);
  const present = await db.selectFrom('audit').select('id').where('id', 'in', ids).execute();
  const known = new Set(present.map((row) => row.id));
  const missing = rows.filter((row) => !known.has(row.id)).map(toTable);
  if (missing.length > 0) await db.insertInto('audit').values(missing).execute();
}

/** A page of rows, newest first unless `order` is `asc`. `cursor` is the `next` of the page before, or any row's id. */
export async function selectAuditRows(
  db: Kysely<Tables>,
  filter: AuditFilter,
  options: { cursor?: string | undefined; limit: number; order?: 'asc' | 'desc' | undefined },
): Promise<AuditPage> {
  const order = options.order ?? 'desc';
  let query = applyFilter(db.selectFrom('audit').selectAll(), filter);
  if (options.cursor !== undefined) query = query.where('id', order === 'desc' ? '<' : '>', options.cursor);
  const found = await query
    .orderBy('id', order)
    .limit(options.limit + 1)
    .execute();
  const items = found.slice(0, options.limit).map(fromTable);
  const last = items.at(-1);
  return found.length > options.limit && last !== undefined ? { items, next: last.id } : { items };
}

/** Deletes rows that happened before `before` (wall milliseconds), at most `limit`. Returns how many. */
export async function deleteAuditRows(
  db: Transaction<Tables>,
  before: number,
  limit: number,
): Promise<number> {
  const old = await db.selectFrom('audit').select('id').where('at', '<', before).limit(limit).execute();
  const ids = old.map((row) => row.id);
  if (ids.length > 0) await db.deleteFrom('audit').where('id', 'in', ids).execute();
  return ids.length;
}

const equalColumns = [
  'actor',
  'outcome',
  'agent',
  'container',
  'service',
  'haproxy',
  'backend',
  'slot',
  'policy',
] as const;

function applyFilter<O>(start: SelectQueryBuilder<Tables, 'audit', O>, filter: AuditFilter): typeof start {
  let query = start;
  for (const column of equalColumns) {
    const wanted = filter[column];
    if (wanted !== undefined) query = query.where(column, '=', wanted);
  }
  const { event, since, until } = filter;
  if (event?.endsWith('*') === true) {
    // Not a range of texts: what lies between two of them depends on the database's locale.
    const prefix = event.slice(0, -1).replaceAll(/[!%_]/g, '!$&');
    query = query.where(sql<boolean>`event like ${`${prefix}%`} escape '!'`);
  } else if (event !== undefined) query = query.where('event', '=', event);
  if (since !== undefined) query = query.where('at', '>=', since);
  if (until !== undefined) query = query.where('at', '<', until);
  return query;
}

function toTable(row: AuditRow): AuditTable {
  const { from, to, details, ...same } = row;
  return {
    ...same,
    from_value: from,
    to_value: to,
    details: details === null ? null : JSON.stringify(details),
  };
}

function fromTable(row: Selectable<AuditTable>): AuditRow {
  const { from_value: from, to_value: to, details, outcome, ...same } = row;
  return { ...same, outcome: parseOutcome(outcome), from, to, details: parseDetails(details) };
}

function parseOutcome(text: string): AuditRow['outcome'] {
  return text === 'failed' || text === 'held' ? text : 'ok';
}

function parseDetails(text: string | null): object | null {
  const value: unknown = text === null ? null : JSON.parse(text);
  return typeof value === 'object' ? value : null;
}

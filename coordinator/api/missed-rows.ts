// The rows of the audit that a reader of events has missed: from the database, page by page, and those that are not there
// yet, since they wait for it in memory or in the journal.
import type { Audit } from '../audit/audit.ts';
import type { AuditRow } from '../audit/audit-entry.ts';

const pageRows = 1000;
/** A reader that was away for longer reads the audit itself. */
const mostPages = 10;

export interface MissedRows {
  /** Oldest first. */
  rows: AuditRow[];
  /** Rows after this one were left out; undefined: none were. */
  gapAfter: string | undefined;
}

/** What is recorded afterwards is not in it: subscribe in the same turn. @throws BerthError `database.unavailable` */
export async function readMissedRows(
  audit: Pick<Audit, 'query' | 'recent'>,
  last: string,
): Promise<MissedRows> {
  const rows: AuditRow[] = [];
  let more = true;
  for (let page = 0; more && page < mostPages; page += 1) {
    const { items, next } = await audit.query({}, rows.at(-1)?.id ?? last, pageRows, 'asc');
    rows.push(...items);
    more = next !== undefined;
  }
  const known = new Set(rows.map(({ id }) => id));
  const recent = audit.recent(last).filter(({ id }) => !known.has(id));
  const gapAfter = more ? rows.at(-1)?.id : undefined;
  rows.push(...recent);
  if (!more) rows.sort((a, b) => (a.id < b.id ? -1 : 1));
  return { rows, gapAfter };
}

// What waits to be told: the first rows themselves, the others as counts. However much happens, it stays small, and no
// row is untold: it is shown, or it is in a count.
import type { AuditRow } from '../audit/audit-entry.ts';

export interface NoticeCount {
  event: string;
  service: string | null;
  outcome: AuditRow['outcome'];
  count: number;
}

/** One message's worth. */
export interface Notice {
  rows: readonly AuditRow[];
  /** What happened besides, and is not shown row by row. */
  more: readonly NoticeCount[];
}

const maxRows = 8;
const maxCounts = 20;
const others = 'other events';

export class NoticeBuffer {
  #rows: AuditRow[] = [];
  #more = new Map<string, NoticeCount>();

  get empty(): boolean {
    return this.#rows.length === 0 && this.#more.size === 0;
  }

  /** Rows that wait, shown or counted. */
  get size(): number {
    return this.#rows.length + [...this.#more.values()].reduce((sum, { count }) => sum + count, 0);
  }

  add(row: AuditRow): void {
    if (this.#rows.length < maxRows) this.#rows.push(row);
    else this.#count({ event: row.event, service: row.service, outcome: row.outcome, count: 1 });
  }

  take(): Notice {
    const notice = { rows: this.#rows, more: [...this.#more.values()] };
    this.#rows = [];
    this.#more = new Map();
    return notice;
  }

  /** A message that could not be delivered: the next one has it in its counts. */
  putBack({ rows, more }: Notice): void {
    for (const { event, service, outcome } of rows) this.#count({ event, service, outcome, count: 1 });
    for (const count of more) this.#count(count);
  }

  #count(added: NoticeCount): void {
    const key = JSON.stringify([added.event, added.service, added.outcome]);
    const fits = this.#more.has(key) || this.#more.size < maxCounts;
    const entry = fits ? added : { ...added, event: others, service: null };
    const at = fits ? key : JSON.stringify([others, null, added.outcome]);
    const known = this.#more.get(at)?.count ?? 0;
    this.#more.set(at, { ...entry, count: known + added.count });
  }
}

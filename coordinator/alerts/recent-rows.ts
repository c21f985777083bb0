// Rows about no firing (unreadable, or of a message that changed nothing) that were written lately: a sender that says the
// same again and again gets one row that counts, and is told of once. Bounded, and anew after a day.
import type { InboxRow } from './inbox-row.ts';

const most = 5000;
const forMs = 24 * 3_600_000;

export class RecentRows {
  readonly #rows = new Map<string, InboxRow>();

  /** Undefined when the first one was too long ago. */
  get(id: string, nowWall: number): InboxRow | undefined {
    const row = this.#rows.get(id);
    return row !== undefined && nowWall - row.receivedAt < forMs ? row : undefined;
  }

  put(row: InboxRow): void {
    // The one that was heard last goes last.
    this.#rows.delete(row.id);
    // The document is in the database, and may be large.
    this.#rows.set(row.id, { ...row, document: null });
    for (const id of this.#rows.keys()) {
      if (this.#rows.size <= most) break;
      this.#rows.delete(id);
    }
  }
}

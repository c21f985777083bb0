import type { Store } from '../store/store.ts';
import { deleteInboxRows } from './inbox-table.ts';

const rowsAtOnce = 1000;

/** Deletes rows that are over and were received before `before` (wall milliseconds), in small steps. Never throws. */
export async function pruneInbox(store: Store, before: number, signal: AbortSignal): Promise<void> {
  try {
    for (let deleted = 1; deleted > 0 && !signal.aborted; ) {
      deleted = await store.transaction((db) => deleteInboxRows(db, before, rowsAtOnce));
    }
  } catch {
    // The store remembers the failure, and /readyz tells of it; the next time deletes more.
  }
}

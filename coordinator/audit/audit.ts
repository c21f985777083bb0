// The audit: every act, in order, once. Callers never wait for it; who awaits `record` knows that the row survives the
// death of this process. A row that could not be kept is written to the log whole.
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { Store } from '../store/store.ts';
import { type AuditEntry, type AuditRow, auditIds, auditRow } from './audit-entry.ts';
import type { AuditJournal } from './audit-journal.ts';
import { type AuditFilter, type AuditPage, deleteAuditRows, selectAuditRows } from './audit-table.ts';
import { type AuditStatus, AuditWriter, type Together } from './audit-writer.ts';

/** So many rows, at least, are remembered beside the database. */
const recentRows = 1000;

export class Audit {
  readonly #store: Store;
  readonly #writer: AuditWriter;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #nextId: () => string;
  readonly #listeners = new Set<(row: AuditRow) => void>();
  readonly #recent: AuditRow[] = [];
  #lostUnsaid = 0;

  constructor(options: { store: Store; journal: AuditJournal; log: Log; clock: Clock; queueLimit?: number }) {
    this.#store = options.store;
    this.#writer = new AuditWriter(options);
    this.#log = options.log;
    this.#clock = options.clock;
    this.#nextId = auditIds(() => this.#clock.wall());
  }

  /**
   * Keeps the entry. Never throws, and may be left unawaited: the promise rejects when database, journal
   * and queue are all full, and even then it does not end the program. Resolves when the row survives the death of
   * this process.
   */
  record(entry: AuditEntry, together?: Together): Promise<void> {
    const row = auditRow(this.#nextId(), this.#clock.wall(), entry);
    this.#recent.push(row);
    if (this.#recent.length > 2 * recentRows) this.#recent.splice(0, recentRows);
    for (const listener of this.#listeners) {
      try {
        listener(row);
      } catch (error) {
        this.#log.error(
          { event: 'audit.unheard', error: describeError(error) },
          'a listener of the audit failed',
        );
      }
    }
    const kept = this.#writer.push(row, together);
    kept.then(
      () => this.#sayLost(),
      (error: unknown) => {
        this.#lostUnsaid += 1;
        this.#log.error({ ...row, event: 'audit.lost', lost: row.event }, describeError(error));
      },
    );
    return kept;
  }

  /** Rows from the database, newest first unless `order` is `asc`. @throws BerthError `database.unavailable` */
  async query(
    filter: AuditFilter,
    cursor: string | undefined,
    limit: number,
    order: 'asc' | 'desc' = 'desc',
  ): Promise<AuditPage> {
    return this.#store.use((db) => selectAuditRows(db, filter, { cursor, limit, order }));
  }

  /** Deletes what happened before `before` (wall milliseconds), in small steps. @throws BerthError `database.unavailable` */
  async deleteBefore(before: number, signal: AbortSignal): Promise<number> {
    for (let total = 0; ; ) {
      const deleted = await this.#store.transaction((db) => deleteAuditRows(db, before, 1000));
      total += deleted;
      if (deleted === 0 || signal.aborted) return total;
    }
  }

  /** Calls `listener` for each row as it is recorded, before it is kept. Returns the way to stop that. */
  onRow(listener: (row: AuditRow) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The rows after the one with this id among the last thousand of this run, oldest first, wherever they are kept by now. */
  recent(after: string): AuditRow[] {
    return this.#recent.filter(({ id }) => id > after);
  }

  status(): AuditStatus {
    return this.#writer.status();
  }

  /** Takes up what an earlier run left in the journal. An unusable journal is reported, not fatal. */
  open(): Promise<void> {
    return this.#writer.open();
  }

  /** Resolves when every row recorded so far is in the database or in the journal. */
  flush(): Promise<void> {
    return this.#writer.flush();
  }

  /** Flushes, for at most `deadlineMs`, and stops. */
  close(deadlineMs = 4000): Promise<void> {
    return this.#writer.close(deadlineMs);
  }

  #sayLost(): void {
    if (this.#lostUnsaid === 0 || !this.#writer.roomy) return;
    const rows = this.#lostUnsaid;
    this.#lostUnsaid = 0;
    const reason = `${rows} rows were refused while neither the database nor the journal took any; they are in the log`;
    this.record({ event: 'audit.lost', actor: 'coordinator', outcome: 'failed', reason, details: { rows } });
  }
}

// The audit's writer: rows in, in order, into the database; into the journal while the database is away.
//
//   push ──► queue ──┬─ journal empty ──► database ──ok──► resolved
//                    │                        └─error─┐
//                    └─ journal not empty ────────────┴──► journal ──ok──► resolved
//                                                             └─error─► stays in the queue, asked again
//   journal ──► database, oldest first, asked again with a growing pause; empty: the direct way is open again
//   while the database has not answered yet: queue ──► journal, a moment later
//
// INVARIANTS
// 1. One loop; rows reach the database in the order of `push`.
// 2. A row is inserted only if its id is not there: after a crash or an unknown outcome it is offered twice.
// 3. The queue is bounded. When it, the database and the journal's disk all fail, a new row is refused and counted.
import type { Transaction } from 'kysely';
import type { Clock } from '../../shared/clock.ts';
import { BerthError, describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { Store } from '../store/store.ts';
import type { Tables } from '../store/tables.ts';
import type { AuditRow } from './audit-entry.ts';
import type { AuditJournal } from './audit-journal.ts';
import { insertAuditRows } from './audit-table.ts';
import { GrowingPause } from './growing-pause.ts';

const batchRows = 100;
/** Rows are not in memory alone for longer than this while a database that hangs is waited for. */
const patienceMs = 1000;

export interface AuditStatus {
  /** Rows that are in memory only. */
  queued: number;
  /** Bytes that wait in the journal for the database. */
  journalledBytes: number;
  /** Rows refused since the start: in the log, not in the audit. */
  lost: number;
  /** Why rows wait; undefined when none does. */
  reason: string | undefined;
}

/** What is written in the transaction of a row. It is left out when the row goes through the journal. */
export type Together = (db: Transaction<Tables>) => Promise<void>;

interface Queued {
  row: AuditRow;
  together: Together | undefined;
  kept: PromiseWithResolvers<void>;
}

export interface AuditWriterOptions {
  store: Store;
  journal: AuditJournal;
  log: Log;
  clock: Clock;
  /** Rows that may wait in memory. */
  queueLimit?: number;
}

export class AuditWriter {
  readonly #store: Store;
  readonly #journal: AuditJournal;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #queueLimit: number;
  readonly #queue: Queued[] = [];
  readonly #databasePause = new GrowingPause();
  readonly #journalPause = new GrowingPause();
  #wake: () => void = () => {};
  #loop: Promise<void> | undefined;
  #stopped = false;
  #reason: string | undefined;
  #lost = 0;

  constructor(options: AuditWriterOptions) {
    this.#store = options.store;
    this.#journal = options.journal;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#queueLimit = options.queueLimit ?? 50_000;
  }

  /**
   * Resolves when the row survives the death of this process.
   * @throws BerthError `database.unavailable` when there is no room for it (by rejection only)
   */
  push(row: AuditRow, together?: Together): Promise<void> {
    const kept = Promise.withResolvers<void>();
    if (this.#queue.length >= this.#queueLimit) {
      this.#lost += 1;
      const why = this.#reason ?? 'the queue is full';
      kept.reject(new BerthError('database.unavailable', `audit row ${row.id} was refused: ${why}`));
    } else {
      this.#queue.push({ row, together, kept });
      this.#start();
    }
    return kept.promise;
  }

  /** True when the queue has taken in rows again after it was full. */
  get roomy(): boolean {
    return this.#queue.length <= this.#queueLimit / 2;
  }

  status(): AuditStatus {
    const waits = this.#queue.length > 0 || !this.#journal.empty;
    return {
      queued: this.#queue.length,
      journalledBytes: this.#journal.waitingBytes,
      lost: this.#lost,
      reason: waits ? this.#reason : undefined,
    };
  }

  /** Takes up what an earlier run left in the journal. An unusable journal is reported, not fatal. */
  async open(): Promise<void> {
    await this.#attempt(this.#journalPause, async () => {
      await this.#journal.open();
    });
    this.#start();
  }

  /** Resolves when every row recorded so far is in the database or in the journal. */
  async flush(): Promise<void> {
    await this.#queue.at(-1)?.kept.promise;
  }

  /** Flushes, for at most `deadlineMs`, and stops. */
  async close(deadlineMs = 4000): Promise<void> {
    const deadline = new AbortController();
    const time = this.#clock.sleep(deadlineMs, deadline.signal);
    await Promise.race([this.flush(), time]);
    this.#stopped = true;
    this.#wake();
    await Promise.race([this.#loop, time]);
    deadline.abort();
    if (this.#queue.length > 0) {
      const fields = { event: 'audit.lost', rows: this.#queue.length, reason: this.#reason };
      this.#log.error(
        fields,
        'stopped with rows that neither the database nor the journal took; they are in this log',
      );
    }
    await this.#journal.close();
  }

  get #idle(): boolean {
    return this.#stopped || (this.#queue.length === 0 && this.#journal.empty);
  }

  #start(): void {
    this.#wake();
    if (this.#idle) return;
    this.#loop ??= this.#run().finally(() => {
      this.#loop = undefined;
      this.#start();
    });
  }

  async #run(): Promise<void> {
    // Rows that are recorded in one go make one batch.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (!this.#idle) {
      const replayed = await this.#replay();
      const wrote = await this.#write();
      if (!replayed && !wrote) await this.#sleep();
    }
  }

  /** Moves one batch from the journal to the database. */
  async #replay(): Promise<boolean> {
    if (this.#journal.empty) return false;
    return this.#beside(
      this.#attempt(this.#databasePause, async () => {
        const { rows, taken } = await this.#journal.peek(batchRows);
        await this.#insert(rows);
        await taken();
      }),
    );
  }

  /** Moves one batch from the queue to the database, or to the journal when that fails or is not empty. */
  async #write(): Promise<boolean> {
    const batch = this.#queue.slice(0, batchRows);
    const [first] = batch;
    if (first === undefined) return false;
    if (this.#journal.empty) {
      const rows = batch.map((queued) => queued.row);
      const inserted = await this.#beside(
        this.#attempt(this.#databasePause, () => this.#insert(rows, batch)),
      );
      // The journal has them, and offers them to the database again.
      if (this.#queue[0] !== first) return true;
      if (inserted) return this.#kept(batch);
    }
    return this.#journalise();
  }

  /** Moves one batch from the queue to the journal. */
  async #journalise(): Promise<boolean> {
    const batch = this.#queue.slice(0, batchRows);
    const rows = batch.map((queued) => queued.row);
    if (!(await this.#attempt(this.#journalPause, () => this.#journal.append(rows)))) return false;
    return this.#kept(batch);
  }

  #kept(batch: readonly Queued[]): true {
    this.#queue.splice(0, batch.length);
    for (const queued of batch) queued.kept.resolve();
    return true;
  }

  /** Waits for the database; meanwhile, what is in the queue goes to the journal. */
  async #beside(database: Promise<boolean>): Promise<boolean> {
    let pending = true;
    const answered = database.finally(() => {
      pending = false;
    });
    while (pending) {
      const nap = new AbortController();
      await Promise.race([answered, this.#clock.sleep(patienceMs, nap.signal)]);
      nap.abort();
      while (pending && this.#queue.length > 0 && (await this.#journalise()));
    }
    return answered;
  }

  async #insert(rows: readonly AuditRow[], batch: readonly Queued[] = []): Promise<void> {
    if (rows.length > 0) {
      await this.#store.transaction(async (db) => {
        await insertAuditRows(db, rows);
        for (const { together } of batch) await together?.(db);
      });
    }
    if (this.#reason !== undefined)
      this.#log.info({ event: 'audit.resumed' }, 'the database takes audit rows again');
    this.#reason = undefined;
  }

  async #attempt(pause: GrowingPause, work: () => Promise<void>): Promise<boolean> {
    if (this.#clock.monotonic() < pause.until) return false;
    try {
      await work();
      pause.end();
      return true;
    } catch (error) {
      pause.start(this.#clock.monotonic());
      const reason = describeError(error);
      if (this.#reason !== reason) this.#log.error({ event: 'audit.held', reason }, 'audit rows wait');
      this.#reason = reason;
      return false;
    }
  }

  /** Until the database or the journal may be asked again, or a row comes. */
  async #sleep(): Promise<void> {
    const nap = new AbortController();
    this.#wake = () => nap.abort();
    const until = Math.min(
      this.#databasePause.until,
      this.#queue.length > 0 ? this.#journalPause.until : Infinity,
    );
    await this.#clock.sleep(Math.max(1, until - this.#clock.monotonic()), nap.signal);
  }
}

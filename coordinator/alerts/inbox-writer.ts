// Writes the inbox to the database behind the alerts' back. An alert says that a service is in trouble now, so it acts
// from memory at once, database or not; its row is written in the same moment where that works, and later where it
// does not. What waits is bounded: past that, new alerts are refused with a clear error, and their sender tries again.
//
// INVARIANTS
// 1. One transaction at a time; a row that changes meanwhile is written again.
// 2. A row is written whole, over what is there, so writing it twice after an unknown outcome does no harm.
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import { GrowingPause } from '../audit/growing-pause.ts';
import type { Store } from '../store/store.ts';
import type { InboxRow } from './inbox-row.ts';
import { saveInboxRows } from './inbox-table.ts';
import type { Silence } from './silence.ts';
import { saveSilences } from './silences-table.ts';

const rowsAtOnce = 2000;

export class InboxWriter {
  readonly #store: Store;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #rows = new Map<string, InboxRow>();
  readonly #silences = new Map<string, Silence>();
  readonly #pause = new GrowingPause();
  #flushing: Promise<boolean> | undefined;
  #reason: string | undefined;

  constructor(options: { store: Store; log: Log; clock: Clock; limit?: number }) {
    this.#store = options.store;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#limit = options.limit ?? 20_000;
  }

  /** Rows that are in memory only, and why. */
  get waiting(): { rows: number; reason: string | undefined } {
    return { rows: this.#rows.size + this.#silences.size, reason: this.#reason };
  }

  /** True when no more rows may wait while the database is away. */
  get full(): boolean {
    return this.#rows.size >= this.#limit && this.#reason !== undefined;
  }

  put(row: InboxRow): void {
    this.#rows.set(row.id, row);
  }

  putSilence(silence: Silence): void {
    this.#silences.set(silence.id, silence);
  }

  /** True when nothing waits any more. Never throws; asks a database that is away again after a growing pause. */
  async flush(): Promise<boolean> {
    while (this.#flushing !== undefined) await this.#flushing;
    this.#flushing = this.#writeAll();
    try {
      return await this.#flushing;
    } finally {
      this.#flushing = undefined;
    }
  }

  async #writeAll(): Promise<boolean> {
    while (this.#rows.size + this.#silences.size > 0) {
      if (this.#clock.monotonic() < this.#pause.until) return false;
      const rows = [...this.#rows.values()].slice(0, rowsAtOnce);
      const silences = [...this.#silences.values()];
      try {
        await this.#store.transaction(async (db) => {
          await saveInboxRows(db, rows);
          await saveSilences(db, silences);
        });
      } catch (error) {
        this.#hold(describeError(error));
        return false;
      }
      for (const row of rows) if (this.#rows.get(row.id) === row) this.#rows.delete(row.id);
      for (const silence of silences) {
        if (this.#silences.get(silence.id) === silence) this.#silences.delete(silence.id);
      }
      this.#resume();
    }
    return true;
  }

  #hold(reason: string): void {
    this.#pause.start(this.#clock.monotonic());
    if (this.#reason === undefined) {
      this.#log.warn(
        { event: 'alerts.held', reason },
        'alerts act from memory; their rows wait for the database',
      );
    }
    this.#reason = reason;
  }

  #resume(): void {
    this.#pause.end();
    if (this.#reason !== undefined)
      this.#log.info({ event: 'alerts.resumed' }, 'the database takes alerts again');
    this.#reason = undefined;
  }
}

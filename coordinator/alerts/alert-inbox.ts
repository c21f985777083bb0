// The inbox: documents in, live alerts out.
//
//   document ── parse ──► signal ── judge against what is known ──► pool (memory) ──► active(), demands()
//                │                                                    └─► row ──► database, behind (inbox-writer.ts)
//                └─ cannot be read: a failed row with what is wrong and how to mend it
//
// INVARIANTS
// 1. Each document has an outcome of its own, whatever the others are. `accept` rejects only before it took any.
// 2. Memory decides what acts; the database follows, and is where a later run takes it up again.
// 3. Ages and times to live run on the monotonic clock; rows and silences speak wall time.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../shared/clock.ts';
import { BerthError, describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import type { Alert } from '../decide/alerts.ts';
import type { Store } from '../store/store.ts';
import { alertEntry, silenceEntry } from './alert-audit.ts';
import { AlertBook } from './alert-book.ts';
import { type AlertDemand, type AlertWeights, alertOf, demandOf } from './alert-demand.ts';
import { rememberMs } from './alert-pool.ts';
import type { AlertSignal, ContainerRef, Dialect } from './alert-signal.ts';
import type { InboxRow } from './inbox-row.ts';
import { type InboxFilter, type InboxPage, loadFirings, selectInboxRows } from './inbox-table.ts';
import { InboxWriter } from './inbox-writer.ts';
import { isLive, type Now } from './judge-alert.ts';
import { pruneInbox } from './prune-inbox.ts';
import { RecentRows } from './recent-rows.ts';
import type { Silence } from './silence.ts';
import type { NewSilence } from './silences.ts';
import { loadSilences } from './silences-table.ts';
import { type DocumentOutcome, takeDocument } from './take-document.ts';

const tickMs = 1000;
const pruneEveryMs = 3_600_000;
const documentsAtOnce = 200;

export interface Outcome extends DocumentOutcome {
  /** Its place in the batch. */
  index: number;
  /** False: in memory, and not in the database yet. */
  stored: boolean;
}

export interface LiveAlert {
  row: InboxRow;
  signal: AlertSignal;
  /** The service that it is about, as far as that is known now. */
  service: string | undefined;
  /** What keeps it from acting. */
  silence: Silence | undefined;
}

export interface AlertInboxOptions {
  store: Store;
  log: Log;
  clock: Clock;
  /** Where acts are told; the audit. */
  record?: ((entry: AuditEntry) => void) | undefined;
  /** Which service a container belongs to; asked for alerts that name a container only. */
  serviceOf?: ((container: ContainerRef) => string | undefined) | undefined;
  /** Alerts known at once, ended ones among them. */
  limit?: number;
  /** Rows that may wait for the database. */
  waitingLimit?: number;
  /** How long rows are kept. */
  keepMs?: number;
}

export class AlertInbox {
  readonly #store: Store;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #record: (entry: AuditEntry) => void;
  readonly #keepMs: number;
  readonly #book: AlertBook;
  readonly #writer: InboxWriter;
  readonly #listeners = new Set<() => void>();
  readonly #recent = new RecentRows();
  #loaded = false;
  #prunedAt = Number.NEGATIVE_INFINITY;

  constructor(options: AlertInboxOptions) {
    this.#store = options.store;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#record = options.record ?? (() => {});
    this.#keepMs = options.keepMs ?? 30 * 24 * 3_600_000;
    this.#writer = new InboxWriter({
      store: options.store,
      log: options.log,
      clock: options.clock,
      ...(options.waitingLimit === undefined ? {} : { limit: options.waitingLimit }),
    });
    this.#book = new AlertBook(this.#writer, options.serviceOf ?? (() => undefined), options.limit);
  }

  /**
   * Takes in documents, each for itself. Resolves once their rows are written, or cannot be for now.
   * @throws BerthError `database.unavailable` when too many rows wait for the database; then none was taken
   */
  async accept(documents: readonly unknown[], dialect: Dialect): Promise<Outcome[]> {
    if (this.#writer.full && !(await this.#writer.flush())) {
      const { rows, reason = 'unknown' } = this.#writer.waiting;
      throw new BerthError('database.unavailable', `${rows} alerts wait for the database: ${reason}`, {
        hint: 'send them again later',
      });
    }
    const outcomes: Omit<Outcome, 'stored'>[] = [];
    for (const [index, document] of documents.entries()) {
      // A burst must not keep the heartbeats of agents waiting.
      if (index > 0 && index % documentsAtOnce === 0) await nextTurn();
      outcomes.push({ index, ...this.#take(document, dialect) });
    }
    if (outcomes.some(({ state }) => state === 'unprocessed' || state === 'processed')) this.#changed();
    const stored = await this.#writer.flush();
    return outcomes.map((outcome) => ({ ...outcome, stored }));
  }

  /** The live alerts of a service for `decide`: not silenced; those by name only where `weights.byName` has the name. */
  active(service: string, weights: AlertWeights = {}, monotonic = this.#clock.monotonic()): Alert[] {
    const now = { ...this.#now(), monotonic };
    return this.#book.alerts
      .of(service, now, weights.byName)
      .map(({ entry, row }) => alertOf(entry, row.id, now, weights))
      .filter((alert) => alert !== undefined);
  }

  /** What the live alerts of a service ask of the plan. */
  demands(service: string, weights: AlertWeights = {}): AlertDemand[] {
    const now = this.#now();
    return this.#book.alerts
      .of(service, now, weights.byName)
      .map(({ entry }) => demandOf(entry, service, now, weights))
      .filter((demand) => demand !== undefined);
  }

  /** All live alerts as their rows, in the order of their coming, with the silence that keeps one from acting. */
  live(): LiveAlert[] {
    const now = this.#now();
    return this.#book.pool
      .live(now)
      .sort((a, b) => a.row.receivedAt - b.row.receivedAt || (a.row.id < b.row.id ? -1 : 1))
      .map(({ entry, row }) => ({
        row,
        signal: entry.signal,
        service: this.#book.alerts.serviceOf(entry.signal),
        silence: this.#book.alerts.silenceOf(entry.signal, now),
      }));
  }

  /** The row of an alert that is known. */
  row(fingerprint: string): InboxRow | undefined {
    return this.#book.pool.get(fingerprint)?.row;
  }

  /** What one alert asks of the plan of a service; undefined while it does not act. */
  demand(fingerprint: string, service: string): AlertDemand | undefined {
    const now = this.#now();
    const entry = this.#book.pool.get(fingerprint)?.entry;
    if (entry === undefined || !isLive(entry, now)) return undefined;
    return this.#book.alerts.silenceOf(entry.signal, now) === undefined
      ? demandOf(entry, service, now)
      : undefined;
  }

  /**
   * What became of an alert: taken up by a decision or a repair, or the act that it asked for failed. Told again every
   * round, it is written once.
   */
  settle(fingerprint: string, state: 'processed' | 'skipped' | 'failed', reason: string): void {
    this.#book.settle(fingerprint, state, reason, this.#now());
  }

  /**
   * Keeps matching alerts from acting until `until`.
   * @throws BerthError `request.invalid` when it would match every alert, or is over already
   */
  async silence(given: NewSilence): Promise<Silence> {
    const now = this.#now();
    const silence = this.#book.silences.set(given, now.wall);
    this.#record(silenceEntry('silence.set', silence));
    this.#book.mute(silence, now);
    this.#changed();
    await this.#writer.flush();
    return silence;
  }

  /** Ends a silence now. False when there is none with this id. */
  async unsilence(id: string, by: string): Promise<boolean> {
    const ended = this.#book.silences.end(id, this.#clock.wall());
    if (ended === undefined) return false;
    this.#record(silenceEntry('silence.ended', { ...ended, by }));
    this.#book.unmute(this.#now());
    this.#changed();
    await this.#writer.flush();
    return true;
  }

  /** Those that are not over. */
  silences(): Silence[] {
    return this.#book.silences.list(this.#clock.wall());
  }

  /** Rows, newest first. @throws BerthError `database.unavailable` */
  async list(filter: InboxFilter, cursor: string | undefined, limit: number): Promise<InboxPage> {
    await this.#writer.flush();
    return this.#store.use((db) => selectInboxRows(db, filter, cursor, limit));
  }

  /** Calls `listener` whenever other alerts act than before. Returns the way to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Live alerts, and rows that wait for the database with the reason. */
  status(): { live: number; known: number; waiting: number; reason: string | undefined } {
    const { rows, reason } = this.#writer.waiting;
    return { live: this.#book.pool.liveCount, known: this.#book.pool.size, waiting: rows, reason };
  }

  /**
   * Reads what an earlier run or another coordinator has written, newer over older. To be called before the first
   * alert is taken in, and on becoming leader. False when the database is away; `run` then asks again.
   */
  async load(): Promise<boolean> {
    const now = this.#now();
    try {
      const since = now.wall - rememberMs;
      const rows = await this.#store.use((db) => loadFirings(db, now.wall, since));
      const silences = await this.#store.use((db) => loadSilences(db, since));
      const adopted = [
        ...silences.map((silence) => this.#book.silences.restore(silence, now.wall)),
        ...rows.map((row) => this.#book.restore(row, now)),
      ];
      this.#loaded = true;
      if (adopted.includes(true)) this.#changed();
    } catch (error) {
      const fields = { event: 'alerts.unread', error: describeError(error) };
      this.#log.warn(fields, 'the alerts of an earlier run are not known yet');
    }
    return this.#loaded;
  }

  /** Ends what nobody repeats, writes what waits, deletes old rows; until aborted, then writes once more. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Another coordinator may have heard of one that seems to be over here.
      if (!this.#loaded || this.#book.pool.overdue(this.#now()).length > 0) await this.load();
      this.expire();
      await this.#writer.flush();
      await this.#prune(signal);
      await this.#clock.sleep(tickMs, signal);
    }
    await this.#writer.flush();
  }

  /** Ends what nobody repeated for its time to live. */
  expire(): void {
    const now = this.#now();
    const overdue = this.#book.expire(now);
    for (const { entry } of overdue) {
      const reason = 'nobody repeated it, and its time to live is over';
      this.#record(
        alertEntry('alert.expired', entry.signal, this.#book.alerts.serviceOf(entry.signal), reason),
      );
    }
    if (overdue.length > 0) this.#changed();
  }

  #take(document: unknown, dialect: Dialect): DocumentOutcome {
    const now = this.#now();
    const { outcome, alert, row, told } = takeDocument(document, dialect, {
      known: (fingerprint) => this.#book.pool.get(fingerprint),
      recent: (id) => this.#recent.get(id, now.wall),
      serviceOf: (signal) => this.#book.alerts.serviceOf(signal),
      silenceOf: (signal) => this.#book.alerts.silenceOf(signal, now),
      now,
    });
    if (alert !== undefined && !this.#book.know(alert, now)) {
      const refused = {
        state: 'failed',
        reason: `${this.#book.pool.size} alerts are known, which is the most`,
      } as const;
      this.#writer.put({ ...alert.row, ...refused, endedAt: now.wall });
      return { ...outcome, ...refused };
    }
    if (row !== undefined) {
      this.#writer.put(row);
      this.#recent.put(row);
    }
    if (told !== undefined) this.#record(told);
    return outcome;
  }

  async #prune(signal: AbortSignal): Promise<void> {
    const { monotonic, wall } = this.#now();
    if (monotonic - this.#prunedAt < pruneEveryMs) return;
    this.#prunedAt = monotonic;
    await pruneInbox(this.#store, wall - this.#keepMs, signal);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #now(): Now {
    return { monotonic: this.#clock.monotonic(), wall: this.#clock.wall() };
  }
}

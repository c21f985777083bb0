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
import { type AlertDemand, type AlertWeights, alertOf, demandOf } from './alert-demand.ts';
import { AlertPool, type KnownAlert, rememberMs } from './alert-pool.ts';
import type { AlertSignal, ContainerRef, Dialect } from './alert-signal.ts';
import { endedRow, type InboxRow, restoredEntry, waiting, wallOf } from './inbox-row.ts';
import { type InboxFilter, type InboxPage, loadFirings, selectInboxRows } from './inbox-table.ts';
import { InboxWriter } from './inbox-writer.ts';
import { isLive, type Now } from './judge-alert.ts';
import { LiveAlerts } from './live-alerts.ts';
import { pruneInbox } from './prune-inbox.ts';
import { RecentRows } from './recent-rows.ts';
import { describeSilence, type Silence } from './silence.ts';
import { type NewSilence, Silences } from './silences.ts';
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
  readonly #pool: AlertPool;
  readonly #writer: InboxWriter;
  readonly #silences: Silences;
  readonly #alerts: LiveAlerts;
  readonly #listeners = new Set<() => void>();
  readonly #recent = new RecentRows();
  /** Live alerts that a silence keeps from acting. */
  readonly #muted = new Set<string>();
  #loaded = false;
  #prunedAt = Number.NEGATIVE_INFINITY;

  constructor(options: AlertInboxOptions) {
    this.#store = options.store;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#record = options.record ?? (() => {});
    this.#keepMs = options.keepMs ?? 30 * 24 * 3_600_000;
    this.#pool = new AlertPool(options.limit);
    this.#writer = new InboxWriter({
      store: options.store,
      log: options.log,
      clock: options.clock,
      ...(options.waitingLimit === undefined ? {} : { limit: options.waitingLimit }),
    });
    this.#silences = new Silences((silence) => this.#writer.putSilence(silence));
    this.#alerts = new LiveAlerts(this.#pool, this.#silences, options.serviceOf ?? (() => undefined));
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
    return this.#alerts
      .of(service, now, weights.byName)
      .map(({ entry, row }) => alertOf(entry, row.id, now, weights))
      .filter((alert) => alert !== undefined);
  }

  /** What the live alerts of a service ask of the plan. */
  demands(service: string, weights: AlertWeights = {}): AlertDemand[] {
    const now = this.#now();
    return this.#alerts
      .of(service, now, weights.byName)
      .map(({ entry }) => demandOf(entry, service, now, weights))
      .filter((demand) => demand !== undefined);
  }

  /** All live alerts as their rows, in the order of their coming, with the silence that keeps one from acting. */
  live(): LiveAlert[] {
    const now = this.#now();
    return this.#pool
      .live(now)
      .sort((a, b) => a.row.receivedAt - b.row.receivedAt || (a.row.id < b.row.id ? -1 : 1))
      .map(({ entry, row }) => ({
        row,
        signal: entry.signal,
        service: this.#alerts.serviceOf(entry.signal),
        silence: this.#alerts.silenceOf(entry.signal, now),
      }));
  }

  /** The row of an alert that is known. */
  row(fingerprint: string): InboxRow | undefined {
    return this.#pool.get(fingerprint)?.row;
  }

  /** What one alert asks of the plan of a service; undefined while it does not act. */
  demand(fingerprint: string, service: string): AlertDemand | undefined {
    const now = this.#now();
    const entry = this.#pool.get(fingerprint)?.entry;
    if (entry === undefined || !isLive(entry, now)) return undefined;
    return this.#alerts.silenceOf(entry.signal, now) === undefined
      ? demandOf(entry, service, now)
      : undefined;
  }

  /**
   * What became of an alert: taken up by a decision or a repair, or the act that it asked for failed. Told again every
   * round, it is written once.
   */
  settle(fingerprint: string, state: 'processed' | 'skipped' | 'failed', reason: string): void {
    const known = this.#pool.get(fingerprint);
    if (known !== undefined && known.row.state !== state) {
      this.#know({ entry: known.entry, row: { ...known.row, state, reason } }, this.#now());
    }
  }

  /**
   * Keeps matching alerts from acting until `until`.
   * @throws BerthError `request.invalid` when it would match every alert, or is over already
   */
  async silence(given: NewSilence): Promise<Silence> {
    const now = this.#now();
    const silence = this.#silences.set(given, now.wall);
    this.#record(silenceEntry('silence.set', silence));
    for (const { entry, row } of this.#pool.live(now)) {
      if (row.state !== 'unprocessed' || this.#alerts.silenceOf(entry.signal, now) === undefined) continue;
      this.#know({ entry, row: { ...row, state: 'skipped', reason: describeSilence(silence) } }, now);
    }
    this.#changed();
    await this.#writer.flush();
    return silence;
  }

  /** Ends a silence now. False when there is none with this id. */
  async unsilence(id: string, by: string): Promise<boolean> {
    const ended = this.#silences.end(id, this.#clock.wall());
    if (ended === undefined) return false;
    this.#record(silenceEntry('silence.ended', { ...ended, by }));
    this.#unmute(this.#now());
    this.#changed();
    await this.#writer.flush();
    return true;
  }

  /** Those that are not over. */
  silences(): Silence[] {
    return this.#silences.list(this.#clock.wall());
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
    return { live: this.#pool.liveCount, known: this.#pool.size, waiting: rows, reason };
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
        ...silences.map((silence) => this.#silences.restore(silence, now.wall)),
        ...rows.map((row) => this.#restore(row, now)),
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
      if (!this.#loaded || this.#pool.overdue(this.#now()).length > 0) await this.load();
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
    const overdue = this.#pool.overdue(now);
    for (const { entry, row } of overdue) {
      const end = { at: entry.expiresAt, atWall: wallOf(entry.expiresAt, now), why: 'expired' } as const;
      this.#know({ entry: { ...entry, end }, row: endedRow(row, 'expired', now.wall) }, now);
      const reason = 'nobody repeated it, and its time to live is over';
      this.#record(alertEntry('alert.expired', entry.signal, this.#alerts.serviceOf(entry.signal), reason));
    }
    this.#pool.forget(now);
    this.#unmute(now);
    this.#silences.forgetOver(now.wall);
    if (overdue.length > 0) this.#changed();
  }

  #take(document: unknown, dialect: Dialect): DocumentOutcome {
    const now = this.#now();
    const { outcome, alert, row, told } = takeDocument(document, dialect, {
      known: (fingerprint) => this.#pool.get(fingerprint),
      recent: (id) => this.#recent.get(id, now.wall),
      serviceOf: (signal) => this.#alerts.serviceOf(signal),
      silenceOf: (signal) => this.#alerts.silenceOf(signal, now),
      now,
    });
    if (alert !== undefined && !this.#know(alert, now)) {
      const refused = {
        state: 'failed',
        reason: `${this.#pool.size} alerts are known, which is the most`,
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

  /** Takes up what is newer than what is known. */
  #restore(row: InboxRow, now: Now): boolean {
    const entry = restoredEntry(row, now);
    const known = this.#pool.get(row.fingerprint);
    if (entry === undefined || (known !== undefined && row.heardAt <= known.row.heardAt)) return false;
    const isMuted = this.#isMuted({ entry, row }, now);
    if (isMuted) this.#muted.add(row.fingerprint);
    // What was skipped by a silence or a decision of that run is this one's to decide.
    const again = row.state === 'skipped' && !isMuted && isLive(entry, now) ? waiting : {};
    return this.#pool.set({ entry, row: { ...row, ...again } }, now);
  }

  /** False when there is no room. */
  #know(alert: KnownAlert, now: Now): boolean {
    const kept = this.#pool.set(alert, now);
    if (kept) this.#writer.put(alert.row);
    if (kept && this.#isMuted(alert, now)) this.#muted.add(alert.row.fingerprint);
    return kept;
  }

  /** What a silence has kept from acting waits for a decision again once that is over. */
  #unmute(now: Now): void {
    for (const fingerprint of this.#muted) {
      const known = this.#pool.get(fingerprint);
      if (known !== undefined && this.#isMuted(known, now)) continue;
      this.#muted.delete(fingerprint);
      if (known?.row.state === 'skipped' && isLive(known.entry, now))
        this.#know({ entry: known.entry, row: { ...known.row, ...waiting } }, now);
    }
  }

  #isMuted({ entry, row }: KnownAlert, now: Now): boolean {
    return (
      row.state === 'skipped' && isLive(entry, now) && this.#alerts.silenceOf(entry.signal, now) !== undefined
    );
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

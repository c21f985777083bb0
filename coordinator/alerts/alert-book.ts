// The alerts that are known: pool and silences in memory, each change of a row on its way to the database.
import { AlertPool, type KnownAlert } from './alert-pool.ts';
import type { ContainerRef } from './alert-signal.ts';
import { endedRow, type InboxRow, restoredEntry, waiting, wallOf } from './inbox-row.ts';
import type { InboxWriter } from './inbox-writer.ts';
import { isLive, type Now } from './judge-alert.ts';
import { LiveAlerts } from './live-alerts.ts';
import { describeSilence, type Silence } from './silence.ts';
import { Silences } from './silences.ts';

export class AlertBook {
  readonly pool: AlertPool;
  readonly silences: Silences;
  /** Those that act. */
  readonly alerts: LiveAlerts;
  readonly #writer: InboxWriter;
  /** Live ones that a silence keeps from acting. */
  readonly #muted = new Set<string>();

  constructor(
    writer: InboxWriter,
    serviceOf: (container: ContainerRef) => string | undefined,
    limit: number | undefined,
  ) {
    this.#writer = writer;
    this.pool = new AlertPool(limit);
    this.silences = new Silences((silence) => writer.putSilence(silence));
    this.alerts = new LiveAlerts(this.pool, this.silences, serviceOf);
  }

  /** False when there is no room. */
  know(alert: KnownAlert, now: Now): boolean {
    const kept = this.pool.set(alert, now);
    if (kept) this.#writer.put(alert.row);
    if (kept && this.#isMuted(alert, now)) this.#muted.add(alert.row.fingerprint);
    return kept;
  }

  /** Takes up what is newer than what is known; true when that changes anything. */
  restore(row: InboxRow, now: Now): boolean {
    const entry = restoredEntry(row, now);
    const known = this.pool.get(row.fingerprint);
    if (entry === undefined || (known !== undefined && row.heardAt <= known.row.heardAt)) return false;
    const isMuted = this.#isMuted({ entry, row }, now);
    if (isMuted) this.#muted.add(row.fingerprint);
    // What was skipped by a silence or a decision of that run is this one's to decide.
    const again = row.state === 'skipped' && !isMuted && isLive(entry, now) ? waiting : {};
    return this.pool.set({ entry, row: { ...row, ...again } }, now);
  }

  /** Written once, however often it is told. */
  settle(fingerprint: string, state: 'processed' | 'skipped' | 'failed', reason: string, now: Now): void {
    const known = this.pool.get(fingerprint);
    if (known !== undefined && known.row.state !== state)
      this.know({ entry: known.entry, row: { ...known.row, state, reason } }, now);
  }

  /** Skips what waits for a decision and is silenced now. */
  mute(silence: Silence, now: Now): void {
    const reason = describeSilence(silence);
    for (const { entry, row } of this.pool.live(now)) {
      if (row.state !== 'unprocessed' || this.alerts.silenceOf(entry.signal, now) === undefined) continue;
      this.know({ entry, row: { ...row, state: 'skipped', reason } }, now);
    }
  }

  /** What a silence has kept from acting waits for a decision again once that is over. */
  unmute(now: Now): void {
    for (const fingerprint of this.#muted) {
      const known = this.pool.get(fingerprint);
      if (known !== undefined && this.#isMuted(known, now)) continue;
      this.#muted.delete(fingerprint);
      if (known?.row.state === 'skipped' && isLive(known.entry, now))
        this.know({ entry: known.entry, row: { ...known.row, ...waiting } }, now);
    }
  }

  /** Ends what nobody repeated for its time to live, forgets what is long over; what was ended. */
  expire(now: Now): KnownAlert[] {
    const overdue = this.pool.overdue(now);
    for (const { entry, row } of overdue) {
      const end = { at: entry.expiresAt, atWall: wallOf(entry.expiresAt, now), why: 'expired' } as const;
      this.know({ entry: { ...entry, end }, row: endedRow(row, 'expired', now.wall) }, now);
    }
    this.pool.forget(now);
    this.unmute(now);
    this.silences.forgetOver(now.wall);
    return overdue;
  }

  #isMuted({ entry, row }: KnownAlert, now: Now): boolean {
    return (
      row.state === 'skipped' && isLive(entry, now) && this.alerts.silenceOf(entry.signal, now) !== undefined
    );
  }
}

// What one more message means for what is known of its alert. Pure.
//
//            firing                    resolved / nobody repeats it for its time to live
//   unknown ────────► live ───────────────────────────────────────► ended
//                      ▲  └─ firing again: repeated, lives longer      │
//                      └──── firing that began later, or again ────────┘
//
// Messages come late, twice, and in any order. An alert is identified by its fingerprint, one firing of it by the
// time at which it began. What began before what is known is old news. An alert that has ended stays known as a mark for
// a while, so that an older firing does not bring it back.
//
// A firing with the very beginning of one that was resolved is a replay or came late, for as long as `replayWindowMs`;
// after that it is believed, because Alertmanager says the same when it lost Prometheus for a time and found it again. It
// does so `group_interval` (5 min) after the resolve at the earliest, so the window is shorter than that.
import type { AlertSignal, Dialect } from './alert-signal.ts';

export const replayWindowMs = 4 * 60_000;

const minute = 60_000;
/**
 * How long an alert lives without being repeated. Alertmanager repeats after 4 h (`repeat_interval`) and says when an
 * alert ends; ElastAlert repeats every minute (`realert`) and never says so.
 */
export const timesToLive: Record<Dialect, number> = {
  alertmanager: 5 * 60 * minute,
  elastalert: 10 * minute,
  generic: 10 * minute,
};

export interface Now {
  /** Monotonic milliseconds: ages and deadlines. */
  monotonic: number;
  /** Wall milliseconds: what senders and people say. */
  wall: number;
}

export interface PoolEntry {
  readonly signal: AlertSignal;
  /** When this firing began; wall milliseconds. */
  readonly startsAt: number;
  /** Monotonic milliseconds. */
  readonly heardAt: number;
  readonly expiresAt: number;
  readonly end:
    | { readonly at: number; readonly atWall: number; readonly why: 'resolved' | 'expired' }
    | undefined;
}

export type Verdict =
  | { kind: 'fired' | 'repeated' | 'resolved'; entry: PoolEntry }
  /** Changes nothing. `mark`: what to know from now on all the same. */
  | { kind: 'ignored'; reason: string; mark?: PoolEntry };

export function isLive(entry: PoolEntry, now: Now): boolean {
  return entry.end === undefined && now.monotonic < entry.expiresAt;
}

export function judgeAlert(known: PoolEntry | undefined, signal: AlertSignal, now: Now): Verdict {
  return signal.status === 'firing' ? judgeFiring(known, signal, now) : judgeResolved(known, signal, now);
}

function judgeFiring(known: PoolEntry | undefined, signal: AlertSignal, now: Now): Verdict {
  const age = Math.max(0, now.wall - (signal.sentAt ?? now.wall));
  const left = (signal.expiresInMs ?? timesToLive[signal.dialect]) - age;
  if (left <= 0) return ignored(`it was sent ${ago(age)}, longer ago than it lives`);
  const startsAt = signal.startsAt ?? Math.min(signal.sentAt ?? now.wall, now.wall);
  const entry = {
    signal,
    startsAt,
    heardAt: now.monotonic - age,
    expiresAt: now.monotonic + left,
    end: undefined,
  };
  if (known === undefined) return { kind: 'fired', entry };
  const sameFiring = signal.startsAt === undefined || signal.startsAt === known.startsAt;
  if (!sameFiring && startsAt < known.startsAt) return ignored('a firing that began later is known');
  if (isLive(known, now)) return sameFiring ? repeated(known, entry) : { kind: 'fired', entry };
  const end = known.end ?? { at: known.expiresAt, atWall: now.wall, why: 'expired' };
  if (signal.sentAt !== undefined && signal.sentAt <= end.atWall && end.why === 'resolved') {
    return ignored('it was sent before the alert was resolved');
  }
  if (
    end.why === 'resolved' &&
    signal.startsAt === known.startsAt &&
    now.monotonic - end.at < replayWindowMs
  ) {
    return ignored('this firing was resolved a moment ago: it came late or is a replay');
  }
  return { kind: 'fired', entry };
}

/** The same firing, alive for longer; a document that was overtaken by a newer one takes nothing back. */
function repeated(known: PoolEntry, entry: PoolEntry): Verdict {
  const newer = entry.heardAt >= known.heardAt;
  return {
    kind: 'repeated',
    entry: {
      signal: newer ? entry.signal : known.signal,
      startsAt: known.startsAt,
      heardAt: Math.max(known.heardAt, entry.heardAt),
      expiresAt: newer ? entry.expiresAt : known.expiresAt,
      end: undefined,
    },
  };
}

function judgeResolved(known: PoolEntry | undefined, signal: AlertSignal, now: Now): Verdict {
  const end = { at: now.monotonic, atWall: signal.sentAt ?? now.wall, why: 'resolved' } as const;
  const startsAt = signal.startsAt ?? now.wall;
  const mark = { signal, startsAt, heardAt: now.monotonic, expiresAt: now.monotonic, end };
  if (known === undefined) return { kind: 'ignored', reason: 'it was not known to fire', mark };
  if (signal.startsAt !== undefined && signal.startsAt < known.startsAt) {
    return ignored('a firing that began later is known');
  }
  if (signal.sentAt !== undefined && signal.sentAt < known.startsAt)
    return ignored('it was sent before this firing');
  if (!isLive(known, now)) {
    const later = signal.startsAt !== undefined && signal.startsAt > known.startsAt;
    if (later) return { kind: 'ignored', reason: 'it was not known to fire', mark };
    const reason = 'it has ended already';
    return known.end?.why === 'resolved'
      ? { kind: 'ignored', reason }
      : { kind: 'ignored', reason, mark: { ...known, end } };
  }
  return {
    kind: 'resolved',
    entry: { ...known, startsAt: signal.startsAt ?? known.startsAt, heardAt: now.monotonic, end },
  };
}

function ignored(reason: string): Verdict {
  return { kind: 'ignored', reason };
}

function ago(ms: number): string {
  return ms < 2 * minute ? `${Math.round(ms / 1000)} s ago` : `${Math.round(ms / minute)} min ago`;
}

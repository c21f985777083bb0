// One document against what is known: what becomes of it, and what is to be kept, written and told. Pure.
import { describeError } from '../../shared/errors.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import { alertEntry, refusedEntry } from './alert-audit.ts';
import type { KnownAlert } from './alert-pool.ts';
import { type AlertSignal, type Dialect, describeProblem, type Problem } from './alert-signal.ts';
import {
  type AlertState,
  endedRow,
  firingRow,
  type InboxRow,
  ignoredRow,
  markRow,
  unreadableRow,
  wallOf,
} from './inbox-row.ts';
import { judgeAlert, type Now, type PoolEntry, type Verdict } from './judge-alert.ts';
import { parseAlert } from './parse-alert.ts';
import { describeSilence, type Silence } from './silence.ts';

/** What became of one document. */
export interface DocumentOutcome {
  state: AlertState;
  reason: string;
  fingerprint: string;
  name: string | undefined;
  service: string | undefined;
  /** Why a failed one could not be read. */
  problems: Problem[];
}

export interface Taken {
  outcome: DocumentOutcome;
  /** The alert as it stands now; its row is to be written. */
  alert?: KnownAlert;
  /** A further row to be written. */
  row?: InboxRow;
  told?: AuditEntry;
}

export interface Surroundings {
  known(fingerprint: string): KnownAlert | undefined;
  /** A row about no firing that was written lately. */
  recent(id: string): InboxRow | undefined;
  serviceOf(signal: AlertSignal): string | undefined;
  silenceOf(signal: AlertSignal): Silence | undefined;
  now: Now;
}

export function takeDocument(document: unknown, dialect: Dialect, around: Surroundings): Taken {
  const { now } = around;
  const parsed = parseAlert(dialect, document, now.wall);
  if (!parsed.ok) {
    const reason = parsed.problems.map(describeProblem).join('; ');
    const row = countRepeats(unreadableRow(dialect, rawText(document), parsed, reason, now), around);
    const told = row.repeats === 0 ? { told: refusedEntry(row) } : {};
    return { outcome: { ...outcomeOf(row), problems: parsed.problems }, row, ...told };
  }
  const { signal } = parsed;
  const known = around.known(signal.fingerprint);
  return applyVerdict(judgeAlert(known?.entry, signal, now), signal, known, around);
}

/** What a document of a replayed post comes to: it changes nothing, and nothing is written. */
export function replayedOutcome(document: unknown, dialect: Dialect, now: Now): DocumentOutcome {
  const parsed = parseAlert(dialect, document, now.wall);
  if (!parsed.ok) {
    const reason = parsed.problems.map(describeProblem).join('; ');
    const row = unreadableRow(dialect, rawText(document), parsed, reason, now);
    return { ...outcomeOf(row), problems: parsed.problems };
  }
  return outcomeOf(ignoredRow(parsed.signal, 'this signed post was taken already: it is a replay', now));
}

function applyVerdict(
  verdict: Verdict,
  signal: AlertSignal,
  known: KnownAlert | undefined,
  around: Surroundings,
): Taken {
  const { now } = around;
  switch (verdict.kind) {
    case 'fired':
      return fire(verdict.entry, known, around);
    case 'repeated': {
      const { entry } = verdict;
      const row = known?.row ?? firingRow(entry, now);
      const heard = { repeats: row.repeats + 1, heardAt: now.wall, expiresAt: wallOf(entry.expiresAt, now) };
      const reason = `it is known since ${new Date(entry.startsAt).toISOString()}`;
      return {
        outcome: { ...outcomeOf(row), state: 'skipped', reason },
        alert: { entry, row: { ...row, ...heard } },
      };
    }
    case 'resolved': {
      const { entry } = verdict;
      const row = known?.row ?? firingRow(entry, now);
      const told = alertEntry(
        'alert.resolved',
        signal,
        around.serviceOf(signal),
        'its sender says that it is over',
      );
      const outcome = { ...outcomeOf(row), state: 'processed', reason: 'it is over' } as const;
      return { outcome, alert: { entry, row: endedRow(row, 'resolved', now.wall) }, told };
    }
    case 'ignored': {
      const { reason, mark } = verdict;
      if (mark === undefined) {
        const row = countRepeats(ignoredRow(signal, reason, now), around);
        return { outcome: outcomeOf(row), row };
      }
      const fresh = markRow(mark, reason, now);
      const row = known?.row.id === fresh.id ? endedRow(known.row, 'resolved', now.wall) : fresh;
      return { outcome: outcomeOf(fresh), alert: { entry: mark, row } };
    }
  }
}

function fire(entry: PoolEntry, known: KnownAlert | undefined, around: Surroundings): Taken {
  const { now } = around;
  const { signal } = entry;
  const silence = around.silenceOf(signal);
  const fresh = firingRow(entry, now);
  const before = known?.row;
  const again = before?.id === fresh.id ? { repeats: before.repeats + 1, receivedAt: before.receivedAt } : {};
  const muted =
    silence === undefined ? {} : ({ state: 'skipped', reason: describeSilence(silence) } as const);
  const row: InboxRow = { ...fresh, ...again, ...muted };
  const service = around.serviceOf(signal);
  const event = silence === undefined ? 'alert.fired' : 'alert.silenced';
  // Its resolve got lost.
  const overtaken = before !== undefined && before.id !== row.id && before.endedAt === null;
  return {
    outcome: { ...outcomeOf(row), service },
    alert: { entry, row },
    ...(overtaken ? { row: endedRow(before, 'resolved', now.wall) } : {}),
    told: alertEntry(event, signal, service, row.reason),
  };
}

/** The same again is counted in the row that there is. */
function countRepeats(row: InboxRow, around: Surroundings): InboxRow {
  const first = around.recent(row.id);
  if (first === undefined) return row;
  return { ...row, repeats: first.repeats + 1, receivedAt: first.receivedAt };
}

function outcomeOf(row: InboxRow): DocumentOutcome {
  const { state, reason, fingerprint, name, service } = row;
  return { state, reason, fingerprint, name: name ?? undefined, service: service ?? undefined, problems: [] };
}

function rawText(document: unknown): string {
  if (typeof document === 'string') return document;
  try {
    return JSON.stringify(document) ?? String(document);
  } catch (error) {
    return `(cannot be shown: ${describeError(error)})`;
  }
}

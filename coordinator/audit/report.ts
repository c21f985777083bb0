// What happened, by service, by policy and by hour (UTC): how often a size was raised or lowered and by how many, what
// failed, what was held, what was done, and why. Pure over rows; a tally takes them page by page, so that months fit.
import type { AuditRow } from './audit-entry.ts';

export interface ReportLine {
  /** The service, the policy, or the hour as `2026-03-02T10:00Z`. */
  key: string;
  /** Decisions that raised a size, and instances that they added. */
  ups: number;
  added: number;
  downs: number;
  removed: number;
  failures: number;
  held: number;
  /** Rows of any event. */
  rows: number;
  /** By event, most frequent first. */
  events: { event: string; count: number }[];
  /** Reasons of changes, failures and what was held, most frequent first; numbers and ids in them are left out. */
  reasons: { reason: string; count: number }[];
}

export interface AuditReport {
  byService: ReportLine[];
  byPolicy: ReportLine[];
  byHour: ReportLine[];
}

const hourMs = 3_600_000;
const shownReasons = 10;
/** Different reasons kept for one line; others are counted together. */
const keptReasons = 200;
const otherReasons = 'other reasons';
/** The events whose `from` and `to` are sizes. */
const sizeEvents = 'scale.';

export function report(rows: Iterable<AuditRow>): AuditReport {
  const tally = new ReportTally();
  for (const row of rows) tally.add(row);
  return tally.report();
}

export class ReportTally {
  readonly #services = new Map<string, Line>();
  readonly #policies = new Map<string, Line>();
  readonly #hours = new Map<string, Line>();

  add(row: AuditRow): void {
    if (row.service !== null) lineOf(this.#services, row.service).add(row);
    if (row.policy !== null) lineOf(this.#policies, row.policy).add(row);
    const hour = new Date(Math.floor(row.at / hourMs) * hourMs).toISOString();
    lineOf(this.#hours, `${hour.slice(0, 16)}Z`).add(row);
  }

  /** Services and policies by name, hours in their order. */
  report(): AuditReport {
    return {
      byService: linesOf(this.#services),
      byPolicy: linesOf(this.#policies),
      byHour: linesOf(this.#hours),
    };
  }
}

class Line {
  readonly #numbers = { ups: 0, added: 0, downs: 0, removed: 0, failures: 0, held: 0, rows: 0 };
  readonly #events = new Map<string, number>();
  readonly #reasons = new Map<string, number>();

  add(row: AuditRow): void {
    const numbers = this.#numbers;
    numbers.rows += 1;
    count(this.#events, row.event);
    const change = row.outcome === 'ok' ? sizeChange(row) : 0;
    if (change > 0) {
      numbers.ups += 1;
      numbers.added += change;
    } else if (change < 0) {
      numbers.downs += 1;
      numbers.removed -= change;
    }
    if (row.outcome === 'failed') numbers.failures += 1;
    if (row.outcome === 'held') numbers.held += 1;
    if (change === 0 && row.outcome === 'ok') return;
    const reason = kindOfReason(row.reason);
    const fits = this.#reasons.has(reason) || this.#reasons.size < keptReasons;
    count(this.#reasons, fits ? reason : otherReasons);
  }

  show(key: string): ReportLine {
    const events = ranked(this.#events).map(([event, times]) => ({ event, count: times }));
    const reasons = ranked(this.#reasons)
      .slice(0, shownReasons)
      .map(([reason, times]) => ({ reason, count: times }));
    return { key, ...this.#numbers, events, reasons };
  }
}

/** Instances more (or fewer) by this row; 0 when it is about no size. */
function sizeChange(row: AuditRow): number {
  if (!row.event.startsWith(sizeEvents) || row.from === null || row.to === null) return 0;
  const [from, to] = [Number(row.from), Number(row.to)];
  return Number.isFinite(from) && Number.isFinite(to) ? to - from : 0;
}

/** Reasons that differ only in what was measured, or on whom, are of one kind. */
function kindOfReason(reason: string): string {
  const kind = reason.replaceAll(/\b[0-9a-f]{12,}\b/g, '…').replaceAll(/\d+(?:\.\d+)?/g, '…');
  return kind.length <= 160 ? kind : `${kind.slice(0, 159)}…`;
}

function lineOf(lines: Map<string, Line>, key: string): Line {
  const known = lines.get(key);
  if (known !== undefined) return known;
  const line = new Line();
  lines.set(key, line);
  return line;
}

function linesOf(lines: ReadonlyMap<string, Line>): ReportLine[] {
  return [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, line]) => line.show(key));
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function ranked(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
}

// One act, as the audit keeps it (REQUIREMENTS 69). An entry is what a caller says; a row is the entry with its place in
// the order. Row ids sort in the order of recording, over restarts too, and are unique among several coordinators.
import { randomBytes } from 'node:crypto';

export interface AuditEntry {
  /** Past tense, from the same vocabulary as the log: `slot.repaired`, `agent.lost`. */
  event: string;
  /** Who did it: `coordinator`, `agent`, `operator`. */
  actor: string;
  reason: string;
  /** `held`: what should have been done and was not, on purpose. */
  outcome: 'ok' | 'failed' | 'held';
  /** When it happened, wall milliseconds (now). An agent's timeline arrives a little later than it happened. */
  at?: number | undefined;
  agent?: string | undefined;
  container?: string | undefined;
  host?: string | undefined;
  service?: string | undefined;
  haproxy?: string | undefined;
  backend?: string | undefined;
  slot?: string | undefined;
  policy?: string | undefined;
  metric?: string | undefined;
  value?: number | undefined;
  from?: string | number | undefined;
  to?: string | number | undefined;
  alert?: string | undefined;
  details?: object | undefined;
}

export interface AuditRow {
  id: string;
  at: number;
  event: string;
  actor: string;
  reason: string;
  outcome: 'ok' | 'failed' | 'held';
  agent: string | null;
  container: string | null;
  host: string | null;
  service: string | null;
  haproxy: string | null;
  backend: string | null;
  slot: string | null;
  policy: string | null;
  metric: string | null;
  value: number | null;
  from: string | null;
  to: string | null;
  alert: string | null;
  details: object | null;
}

const idDigits = '0123456789abcdefghjkmnpqrstvwxyz';

/** Makes ids that sort in the order of the calls: 48 bits of time, a counter within the millisecond, 40 random bits. */
export function auditIds(wall: () => number): () => string {
  let time = 0;
  let counter = 0;
  return () => {
    const now = wall();
    counter = now > time ? 0 : counter + 1;
    time = Math.max(time, now);
    if (counter === 32 ** 4) {
      time += 1;
      counter = 0;
    }
    const random = randomBytes(5).readUIntBE(0, 5);
    return base32(time, 10) + base32(counter, 4) + base32(random, 8);
  };
}

/** The row of an entry, such that each of the databases takes it: clipped to the columns, without NUL, finite numbers, real times. */
export function auditRow(id: string, now: number, entry: AuditEntry): AuditRow {
  return {
    id,
    at: time(entry.at ?? now, now),
    event: clip(entry.event, nameLength),
    actor: clip(entry.actor, nameLength),
    reason: clip(entry.reason, textLength),
    outcome: entry.outcome,
    agent: text(entry.agent, nameLength),
    container: text(entry.container, nameLength),
    host: text(entry.host, nameLength),
    service: text(entry.service, nameLength),
    haproxy: text(entry.haproxy, nameLength),
    backend: text(entry.backend, nameLength),
    slot: text(entry.slot, nameLength),
    policy: text(entry.policy, nameLength),
    metric: text(entry.metric, nameLength),
    value: Number.isFinite(entry.value) ? (entry.value ?? null) : null,
    from: text(entry.from, textLength),
    to: text(entry.to, textLength),
    alert: text(entry.alert, nameLength),
    details: details(entry.details),
  };
}

// The columns' lengths (store/migrations.ts). A `text` of MySQL holds 65,535 bytes, four for the longest character.
const nameLength = 253;
const textLength = 16_000;
/** 9999-12-31: what is written with four digits for the year, in every database. */
const lastTime = 253_402_300_799_999;

function clip(value: string, length: number): string {
  const clean = value.replaceAll('\0', '');
  return clean.length <= length ? clean : `${clean.slice(0, length - 1)}…`;
}

/** Wall milliseconds that a Date has; what is no time happened now. */
function time(at: number, now: number): number {
  const isTime = Number.isFinite(at) && at >= 0 && at <= lastTime;
  return Math.round(isTime ? at : now);
}

function text(value: string | number | undefined, length: number): string | null {
  return value === undefined ? null : clip(String(value), length);
}

function details(value: object | undefined): object | null {
  if (value === undefined) return null;
  const json = JSON.stringify(value);
  return json.length <= textLength ? value : { clipped: json.slice(0, textLength / 2) };
}

function base32(value: number, width: number): string {
  let text = '';
  for (let rest = value; text.length < width; rest = Math.floor(rest / 32))
    text = idDigits.charAt(rest % 32) + text;
  return text;
}

// Audit rows as CSV (RFC 4180): one header line, times in ISO 8601, details as JSON.
import type { AuditRow } from './audit-entry.ts';

const columns = [
  'id',
  'at',
  'event',
  'actor',
  'outcome',
  'reason',
  'host',
  'container',
  'agent',
  'service',
  'haproxy',
  'backend',
  'slot',
  'policy',
  'metric',
  'value',
  'from',
  'to',
  'alert',
  'details',
] as const;

export const csvHeader = `${columns.join(',')}\r\n`;

export function formatCsvRow(row: AuditRow): string {
  return `${columns.map((column) => formatField(row, column)).join(',')}\r\n`;
}

function formatField(row: AuditRow, column: (typeof columns)[number]): string {
  if (column === 'at') return new Date(row.at).toISOString();
  const value = row[column];
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  return quote(typeof value === 'string' ? value : JSON.stringify(value));
}

/** A text that a spreadsheet would run as a formula gets an apostrophe in front: agents write into these rows. */
function quote(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

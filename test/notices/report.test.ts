import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { csvHeader, formatCsvRow } from '../../coordinator/audit/audit-csv.ts';
import type { AuditEntry } from '../../coordinator/audit/audit-entry.ts';
import { report } from '../../coordinator/audit/report.ts';
import { row, rowTime } from './rows.ts';

const minute = 60_000;
const at = (minutes: number) => rowTime + minutes * minute;

describe('a report', () => {
  it('counts changes of size, failures, what was held and why, by service, policy and hour', () => {
    const entries: Partial<AuditEntry>[] = [
      { at: at(0), policy: 'steady', reason: 'queue 120 is above 100' },
      { at: at(1), policy: 'steady', from: 4, to: 7, reason: 'queue 310 is above 100' },
      { at: at(2), policy: 'steady', from: 7, to: 5, reason: 'idle for 300 s' },
      { at: at(61), policy: 'steady', outcome: 'held', from: 5, to: 4, reason: 'paused by ann' },
      {
        at: at(61),
        event: 'instance.created',
        outcome: 'failed',
        from: undefined,
        to: undefined,
        reason: 'no space',
      },
      { at: at(62), service: 'shop', event: 'instance.created', from: undefined, to: undefined },
      { at: at(63), service: undefined, event: 'haproxy.lost', from: undefined, to: undefined },
      // A slot's address is no size.
      { at: at(64), service: 'shop', event: 'slot.repaired', from: 1, to: 2 },
    ];
    const { byService, byPolicy, byHour } = report(entries.map(row));
    const [shop, web] = byService;
    assert.deepEqual([byService.length, shop?.key, web?.key], [2, 'shop', 'web']);
    assert.deepEqual(web, {
      key: 'web',
      rows: 5,
      ups: 2,
      added: 5,
      downs: 1,
      removed: 2,
      failures: 1,
      held: 1,
      events: [
        { event: 'scale.decided', count: 4 },
        { event: 'instance.created', count: 1 },
      ],
      reasons: [
        { reason: 'queue … is above …', count: 2 },
        { reason: 'idle for … s', count: 1 },
        { reason: 'no space', count: 1 },
        { reason: 'paused by ann', count: 1 },
      ],
    });
    assert.deepEqual([shop?.rows, shop?.ups, shop?.reasons], [2, 0, []]);
    assert.deepEqual(
      byPolicy.map(({ key, ups, downs, held, failures }) => [key, ups, downs, held, failures]),
      [['steady', 2, 1, 1, 0]],
    );
    assert.deepEqual(
      byHour.map(({ key, rows, ups, failures }) => [key, rows, ups, failures]),
      [
        ['2026-03-02T10:00Z', 3, 2, 0],
        ['2026-03-02T11:00Z', 5, 0, 1],
      ],
    );
  });

  it('stays small and adds up, whatever the reasons are', () => {
    const entry = fc.record({
      reason: fc.string(),
      outcome: fc.constantFrom('ok', 'failed', 'held'),
      from: fc.integer({ min: 0, max: 9 }),
      to: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.string()),
    });
    const property = fc.property(fc.array(entry, { maxLength: 600 }), (entries) => {
      const { byService, byHour } = report(entries.map(row));
      for (const line of [...byService, ...byHour]) {
        assert.equal(line.rows, entries.length);
        assert.equal(line.failures, entries.filter(({ outcome }) => outcome === 'failed').length);
        assert.ok(line.ups + line.downs + line.failures + line.held <= line.rows);
        assert.ok(line.reasons.length <= 10);
      }
    });
    fc.assert(property, { numRuns: 100 });
  });
});

describe('the export of the audit as CSV', () => {
  it('brings every text back as it was, and begins none with a sign of a formula', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom(
        '=1+1',
        '+1',
        '-1',
        '@SUM(A1)',
        '\tx',
        '\rx',
        'a"b',
        'a,b',
        'a\nb',
        '"',
        "=cmd|'/c calc'!A0",
      ),
    );
    const property = fc.property(
      fc.record({ reason: text, service: text, alert: text, from: text }),
      (entry) => {
        const kept = row(entry);
        const [cells = []] = parseCsv(formatCsvRow(kept));
        const names = parseCsv(csvHeader)[0] ?? [];
        assert.equal(cells.length, names.length);
        for (const name of ['reason', 'service', 'alert', 'from'] as const) {
          const cell = cells[names.indexOf(name)] ?? '';
          assert.doesNotMatch(cell, /^[=+\-@\t\r]/);
          assert.equal(/^'[=+\-@\t\r]/.test(cell) && kept[name] !== cell ? cell.slice(1) : cell, kept[name]);
        }
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });
});

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (quoted) {
      if (character !== '"') cell += character;
      else if (text.charAt(index + 1) === '"') {
        cell += '"';
        index += 1;
      } else quoted = false;
    } else if (character === '"' && cell === '') quoted = true;
    else if (character === ',') {
      cells.push(cell);
      cell = '';
    } else if (character === '\r' && text.charAt(index + 1) === '\n') {
      rows.push([...cells, cell]);
      cells = [];
      cell = '';
      index += 1;
    } else cell += character;
  }
  return rows;
}

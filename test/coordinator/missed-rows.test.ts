// What a reader of events gets after a break. The audit is a double: real ones do not hold rows back on demand.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EventStreams } from '../../coordinator/api/event-streams.ts';
import { readMissedRows } from '../../coordinator/api/missed-rows.ts';
import { type AuditRow, auditRow } from '../../coordinator/audit/audit-entry.ts';

const idOf = (number: number) => String(number).padStart(6, '0');
const rowOf = (number: number): AuditRow =>
  auditRow(idOf(number), 0, { event: 'test.recorded', actor: 'test', outcome: 'ok', reason: '' });

/** An audit of `count` rows of which the database has those for which `isStored` holds. */
function auditOf(count: number, isStored: (number: number) => boolean) {
  const all = Array.from({ length: count }, (_, index) => rowOf(index));
  const stored = all.filter((_, index) => isStored(index));
  return {
    query: async (_filter: object, cursor: string | undefined, limit: number) => {
      const after = stored.filter(({ id }) => cursor === undefined || id > cursor);
      const items = after.slice(0, limit);
      const last = items.at(-1);
      return { items, ...(last !== undefined && after.length > limit ? { next: last.id } : {}) };
    },
    recent: (after: string) => all.slice(-1000).filter(({ id }) => id > after),
  };
}

it('all rows after the last one, in order, also those that are not in the database yet', async () => {
  const audit = auditOf(3500, (number) => number < 3000 || number % 2 === 0);
  const { rows, gapAfter } = await readMissedRows(audit, idOf(9));
  assert.equal(gapAfter, undefined);
  assert.deepEqual(
    rows.map(({ id }) => id),
    Array.from({ length: 3490 }, (_, index) => idOf(index + 10)),
  );
});

it('after a long absence the oldest and the newest, and a word about the gap', async () => {
  const missed = await readMissedRows(
    auditOf(20_000, () => true),
    idOf(9),
  );
  assert.equal(missed.gapAfter, idOf(10_009));
  assert.equal(missed.rows.length, 11_000);
  assert.equal(missed.rows.at(-1)?.id, idOf(19_999));
  const streams = new EventStreams({ onRow: () => () => undefined, slots: () => [] });
  const text = [];
  for await (const chunk of streams.open(missed)) {
    text.push(new TextDecoder().decode(chunk));
    if (text.length === 11_002) break;
  }
  const gap = text.findIndex((each) => each.startsWith('event: gap'));
  assert.match(text[gap - 1] ?? '', /^id: 010009\n/);
  assert.equal(text[gap], 'event: gap\ndata: {"after":"010009"}\n\n');
  assert.match(text[gap + 1] ?? '', /^id: 019000\n/);
});

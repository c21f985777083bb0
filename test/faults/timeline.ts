// Whether the audit tells a story in its order.
import assert from 'node:assert/strict';
import type { AuditItem } from './coordinator.ts';

/** Fails unless `events` are among the rows' events in this order; others may lie between them. */
export function assertOrder(rows: readonly AuditItem[], events: readonly string[]): void {
  const all = rows.toSorted((a, b) => a.at.localeCompare(b.at)).map(({ event }) => event);
  let next = 0;
  for (const event of all) if (event === events[next]) next += 1;
  assert.equal(
    events[next],
    undefined,
    `in this order: ${events.join(', ')}; the audit has ${all.join(', ')}`,
  );
}

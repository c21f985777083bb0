import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventStreams } from '../../coordinator/api/event-streams.ts';
import { type AuditRow, auditRow } from '../../coordinator/audit/audit-entry.ts';

function start() {
  const listeners = new Set<(row: AuditRow) => void>();
  const streams = new EventStreams({
    onRow: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    slots: () => [],
  });
  const record = (number: number) => {
    const entry = { event: 'test.recorded', actor: 'test', outcome: 'ok', reason: `row ${number}` } as const;
    for (const listener of listeners) listener(auditRow(String(number), 0, entry));
  };
  return { streams, record, listeners };
}

describe('event streams', () => {
  it('cut off a reader that does not keep up, and nobody else', async () => {
    const { streams, record, listeners } = start();
    const lazy = streams.open().getReader();
    const keen = streams.open().getReader();
    await lazy.read();
    await keen.read();
    for (let number = 0; number < 1500; number += 1) {
      record(number);
      const { value } = await keen.read();
      assert.match(new TextDecoder().decode(value), new RegExp(`"row ${number}"`));
    }
    await assert.rejects(async () => {
      for (;;) await lazy.read();
    }, /does not keep up/);
    await keen.cancel();
    assert.equal(listeners.size, 0);
  });

  it('listen to nothing while nobody reads, and end when they are closed', async () => {
    const { streams, listeners } = start();
    assert.equal(listeners.size, 0);
    streams.slotsChanged();
    const reader = streams.open().getReader();
    assert.equal(listeners.size, 1);
    await reader.read();
    streams.close();
    assert.equal((await reader.read()).done, true);
    assert.equal(listeners.size, 0);
  });

  it('are refused past a bound', () => {
    const { streams } = start();
    for (let count = 0; count < 100; count += 1) streams.open();
    assert.equal(streams.full, true);
    streams.close();
    assert.equal(streams.full, false);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AgentRegistry } from '../../coordinator/agents/registry.ts';
import type { AuditEntry } from '../../coordinator/audit/audit-entry.ts';
import type { Heartbeat } from '../../shared/protocol.ts';
import { HandClock } from '../alerts/hand-clock.ts';
import { memoryLog } from './memory-log.ts';

const link = { tell: () => {}, replace: () => {} };

function start() {
  const clock = new HandClock('2026-03-01T12:00:00Z');
  const rows: AuditEntry[] = [];
  const record = async (row: AuditEntry) => {
    rows.push(row);
  };
  const registry = new AgentRegistry({ audit: { record }, log: memoryLog(), clock });
  registry.greet({ type: 'hello', v: 1, agent: 'a1' }, link);
  const beat = (...events: NonNullable<Heartbeat['events']>) =>
    registry.beat('a1', link, { type: 'heartbeat', seq: 1, phase: 'ready', registrations: [], events });
  const told = () =>
    rows
      .filter(({ actor }) => actor === 'agent')
      .map(({ event, at = 0 }) => [event, at - Date.parse('2026-03-01T12:00:00Z')]);
  return { clock, beat, told };
}

describe('what an agent tells', () => {
  it('keeps its order also when one heartbeat was longer on its way than the next', () => {
    const { clock, beat, told } = start();
    clock.advance(40);
    beat({ event: 'app.ready', ageMs: 10 });
    clock.advance(2);
    beat({ event: 'slot.ready', ageMs: 15 }, { event: 'app.unready', ageMs: 0 });
    assert.deepEqual(told(), [
      ['app.ready', 30],
      ['slot.ready', 30],
      ['app.unready', 42],
    ]);
  });

  it('is dated by the clock as it is, also after that was set back', () => {
    const { clock, beat, told } = start();
    beat({ event: 'app.ready', ageMs: 0 });
    clock.setWall(clock.wall() - 3_600_000);
    beat({ event: 'app.unready', ageMs: 0 });
    assert.deepEqual(told(), [
      ['app.ready', 0],
      ['app.unready', -3_600_000],
    ]);
  });
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { AgentSaver } from '../../coordinator/agents/agent-saver.ts';
import { AgentRegistry } from '../../coordinator/agents/registry.ts';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore } from '../../coordinator/store/store.ts';
import { type Clock, systemClock } from '../../shared/clock.ts';
import type { Drain, Heartbeat } from '../../shared/protocol.ts';
import { memoryLog } from './memory-log.ts';

async function start(t: TestContext, database: string, clock: Clock = systemClock) {
  const store = await openStore(parseDatabaseUrl(`sqlite:${database}`));
  t.after(() => store.close());
  const log = memoryLog();
  const registry = new AgentRegistry({ audit: { record: async () => {} }, log, clock });
  const saver = new AgentSaver({ registry, store, log, clock, keepMs: 3_600_000 });
  return { store, registry, saver };
}

function databasePath(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'berth-agents-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return join(path, 'berth.db');
}

const link = { tell: () => {}, replace: () => {} };
const beat: Heartbeat = {
  type: 'heartbeat',
  seq: 1,
  phase: 'ready',
  registrations: [
    { haproxy: 'lb1:9999', backend: 'app', slot: 'node1', address: '10.0.0.5', port: 80, state: 'ready' },
  ],
};

describe('the registry in the database', () => {
  it('is known to the next start, as agents that have not been heard', async (t) => {
    const path = databasePath(t);
    const first = await start(t, path);
    assert.equal(await first.saver.load(), true);
    first.registry.greet({ type: 'hello', v: 1, agent: 'a1', container: 'c1', service: 'web' }, link);
    first.registry.beat('a1', link, beat);
    first.registry.greet({ type: 'hello', v: 1, agent: 'a2' }, link);
    first.registry.beat('a2', link, { ...beat, registrations: [] });
    first.registry.leave('a2', link, 'SIGTERM');
    await first.saver.save();
    const second = await start(t, path);
    assert.equal(await second.saver.load(), true);
    assert.equal(second.registry.list().length, 2);
    const record = second.registry.get('a1');
    assert.equal(record?.connected, false);
    assert.equal(record?.container, 'c1');
    assert.equal(record?.lastHeardAt, undefined);
    assert.equal(record?.lostAt, undefined);
    assert.deepEqual(record?.registrations, beat.registrations);
    assert.equal(second.registry.get('a2')?.goodbyeReason, 'SIGTERM');
  });

  it('remembers over a restart who was told to leave traffic, and tells every agent how it is wanted', async (t) => {
    const path = databasePath(t);
    const first = await start(t, path);
    await first.saver.load();
    for (const agent of ['drained', 'wanted']) {
      first.registry.greet({ type: 'hello', v: 1, agent }, link);
      first.registry.beat(agent, link, beat);
    }
    first.registry.drain('drained', true, 'scale-down');
    await first.saver.save();
    const greetAll = (registry: AgentRegistry) => {
      const told: unknown[] = [];
      for (const agent of ['drained', 'wanted', 'new']) {
        const tell = ({ drain, reason }: Drain) => void told.push([agent, drain, reason]);
        registry.greet({ type: 'hello', v: 1, agent }, { tell, replace: () => {} });
      }
      return told;
    };
    const second = await start(t, path);
    assert.deepEqual(greetAll(second.registry), [], 'nothing is known yet, so nobody is told anything');
    const third = await start(t, path);
    await third.saver.load();
    assert.deepEqual(greetAll(third.registry), [
      ['drained', true, 'scale-down'],
      ['wanted', false, 'no drain is wanted'],
      ['new', false, 'no drain is wanted'],
    ]);
  });

  it('does not overwrite what a live agent has said since the start', async (t) => {
    const path = databasePath(t);
    const first = await start(t, path);
    first.registry.greet({ type: 'hello', v: 1, agent: 'a1' }, link);
    first.registry.beat('a1', link, { ...beat, phase: 'draining' });
    await first.saver.save();
    const second = await start(t, path);
    second.registry.greet({ type: 'hello', v: 1, agent: 'a1' }, link);
    second.registry.beat('a1', link, beat);
    await second.saver.load();
    assert.equal(second.registry.get('a1')?.phase, 'ready');
    assert.equal(second.registry.get('a1')?.connected, true);
  });

  it('keeps what could not be written for the next time', async (t) => {
    const path = databasePath(t);
    const { saver, registry, store } = await start(t, path);
    await saver.load();
    registry.greet({ type: 'hello', v: 1, agent: 'a1' }, link);
    registry.beat('a1', link, beat);
    const other = new DatabaseSync(path);
    t.after(() => other.close());
    other.exec('begin immediate');
    await saver.save();
    assert.match(store.failure?.reason ?? '', /locked/);
    other.exec('rollback');
    await saver.save();
    assert.equal(store.failure, undefined);
    const next = await start(t, path);
    await next.saver.load();
    assert.equal(next.registry.get('a1')?.phase, 'ready');
  });

  it('starts without a database, and learns of the earlier agents when it comes', async (t) => {
    const path = databasePath(t);
    const first = await start(t, path);
    first.registry.greet({ type: 'hello', v: 1, agent: 'a1' }, link);
    await first.saver.save();
    await first.store.close();
    const other = new DatabaseSync(path);
    t.after(() => other.close());
    other.exec('pragma journal_mode = delete');
    other.exec('begin exclusive');
    const second = await start(t, path);
    assert.equal(await second.saver.load(), false);
    assert.deepEqual(second.registry.list(), []);
    other.exec('rollback');
    assert.equal(await second.saver.load(), true);
    assert.equal(second.registry.list().length, 1);
  });

  it('forgets agents that have long been gone, and never one that is connected', async (t) => {
    const path = databasePath(t);
    let now = 1_000_000_000;
    const clock: Clock = { monotonic: () => now, wall: () => now, sleep: systemClock.sleep };
    const { saver, registry, store } = await start(t, path, clock);
    for (const agent of ['gone', 'here']) {
      registry.greet({ type: 'hello', v: 1, agent }, link);
      registry.beat(agent, link, beat);
    }
    registry.leave('gone', link, 'SIGTERM');
    await saver.save();
    now += 3_600_001;
    await saver.save();
    assert.deepEqual(
      registry.list().map((record) => record.id),
      ['here'],
    );
    const rows = await store.use((db) => db.selectFrom('agents').select('id').execute());
    assert.deepEqual(
      rows.map((row) => row.id),
      ['here'],
    );
  });
});

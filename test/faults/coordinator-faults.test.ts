// The coordinator dies, is absent, comes back, under load: traffic does not depend on it, and it adopts what is there.
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { until } from '../bench/wait.ts';
import type { Instance } from './instance.ts';
import { readRows } from './slot-rows.ts';
import { Stage } from './stage.ts';
import { flowing, underLoad } from './under-load.ts';

describe('the coordinator', () => {
  let stage: Stage;
  let apps: Instance[];
  before(async () => {
    stage = await Stage.set({ coordinator: false });
    apps = await stage.instances(3);
  });
  after(() => stage[Symbol.asyncDispose]());

  it('absent from the start, it adopts what is there and changes no slot', (t) => adopts(t));

  it('killed with SIGKILL, it fails no request', async (t) => {
    await underLoad(t, stage, { mayFail: 0 }, async (load) => {
      await stage.coordinator.kill();
      await flowing(load, 60);
    });
  });

  it('away, it is not needed to stop, restart and start instances', async (t) => {
    const [first = assert.fail(), second = assert.fail()] = apps;
    await underLoad(t, stage, { mayFail: 0, deadStayDown: false }, async () => {
      await Promise.all([first.restart(), stage.instance('app-4')]);
      await second.stop();
      await stage.whole({ deadStayDown: false });
      await second.start();
    });
  });

  it('back after a kill, it adopts what came and went meanwhile and changes no slot', (t) => adopts(t));

  it('killed together with HAProxy, it is not needed to fill the slots again', async (t) => {
    await underLoad(t, stage, { mayFail: 60 * 7, withinMs: 6000 }, async () => {
      await Promise.all([stage.coordinator.kill(), stage.haproxy.kill('SIGKILL')]);
      await stage.haproxy.start();
    });
  });

  it('back while the agents fill the slots after a restart, it makes no double', async (t) => {
    await underLoad(t, stage, { mayFail: 60 * 7, withinMs: 6000 }, async () => {
      await stage.haproxy.kill('SIGKILL');
      await Promise.all([stage.haproxy.start(), stage.coordinator.start()]);
    });
  });

  it('back after an instance died meanwhile, it reclaims the slot', async (t) => {
    const [, , third = assert.fail()] = apps;
    const since = Date.now();
    await underLoad(t, stage, { mayFail: 10, deadStayDown: false, withinMs: 20_000 }, async () => {
      await stage.coordinator.kill();
      await third.kill();
      await stage.coordinator.start();
    });
    const rows = await stage.coordinator.audit(since, { event: 'slot.reclaimed' });
    assert.deepEqual(
      rows.map(({ agent, outcome }) => ({ agent, outcome })),
      [{ agent: third.agent, outcome: 'ok' }],
    );
  });

  /** Starts it; the slots stay as they are, every agent is there, and the audit says so. */
  async function adopts(t: TestContext): Promise<void> {
    const since = Date.now();
    const before = (await readRows(stage.haproxy)).slots;
    const agents = (await stage.running()).length;
    await underLoad(t, stage, { mayFail: 0 }, async (load) => {
      await stage.coordinator.start();
      await until(async () => (await connectedAgents()) === agents, { what: 'every agent is there' });
      await flowing(load, 60);
    });
    assert.deepEqual((await readRows(stage.haproxy)).slots, before, 'no slot was changed');
    const rows = await stage.coordinator.audit(since);
    const connected = rows.filter(({ event }) => event === 'agent.connected');
    assert.equal(new Set(connected.map(({ agent }) => agent)).size, agents, 'each agent in the audit');
    const repairs = rows.filter(({ event, actor }) => actor === 'coordinator' && event.startsWith('slot.'));
    assert.deepEqual(repairs, [], 'nothing was repaired');
  }

  async function connectedAgents(): Promise<number> {
    const { items } = await stage.coordinator.read<{ items: { connected: boolean }[] }>('/api/v1/agents');
    return items.filter(({ connected }) => connected).length;
  }
});

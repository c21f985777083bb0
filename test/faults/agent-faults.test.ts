// The agent itself is frozen or killed within its container, under load.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isAlive } from '../bench/processes.ts';
import { until } from '../bench/wait.ts';
import type { Instance } from './instance.ts';
import { readRows } from './slot-rows.ts';
import { Stage } from './stage.ts';
import { flowing, underLoad } from './under-load.ts';

describe('the agent', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.set();
    await stage.instances(2);
  });
  after(() => stage[Symbol.asyncDispose]());

  const slotOf = async (instance: Instance) => {
    const at = `${await instance.address()}:8080`;
    return (await readRows(stage.haproxy)).slots.find((slot) => slot.at === at);
  };
  const isConnected = async (instance: Instance) => {
    const { items } = await stage.coordinator.read<{ items: { id: string; connected: boolean }[] }>(
      '/api/v1/agents',
    );
    return items.find(({ id }) => id === instance.agent)?.connected;
  };

  it('frozen (SIGSTOP): its app serves on and keeps its slot', async (t) => {
    const frozen = await stage.instance('frozen');
    await stage.whole();
    const slot = await slotOf(frozen);
    const agent = await frozen.process('agent.cjs');
    const since = Date.now();
    await underLoad(t, stage, { mayFail: 0 }, async (load) => {
      process.kill(agent, 'SIGSTOP');
      await until(async () => (await isConnected(frozen)) === false, { what: 'the coordinator has lost it' });
      await flowing(load, 120);
      assert.deepEqual(await slotOf(frozen), slot);
      process.kill(agent, 'SIGCONT');
      await until(() => isConnected(frozen), { what: 'it is back', deadlineMs: 20_000 });
    });
    assert.deepEqual(await slotOf(frozen), slot);
    assert.deepEqual(await stage.coordinator.audit(since, { event: 'slot.*' }), [], 'no slot was touched');
    await stage.remove(frozen);
    await stage.whole();
  });

  it('killed, with BERTH_ON_AGENT_EXIT=stop: the container ends, starts anew, and leaves no slot behind', async (t) => {
    const mortal = await stage.instance('mortal', { options: ['--restart', 'on-failure'] });
    await stage.whole();
    const app = await mortal.process('node /berth/app.mjs');
    const agent = await mortal.process('agent.cjs');
    await underLoad(t, stage, { mayFail: 10 }, async () => {
      process.kill(agent, 'SIGKILL');
      await until(() => !isAlive(app), { what: 'the app has ended too' });
      await until(() => mortal.process('node /berth/app.mjs'), { what: 'Docker has started it anew' });
    });
    await stage.remove(mortal);
    await stage.whole();
  });

  it('killed, with BERTH_ON_AGENT_EXIT=keep: the app serves on in the same slot, and is guarded again', async (t) => {
    const kept = await stage.instance('kept', { env: { BERTH_ON_AGENT_EXIT: 'keep' } });
    await stage.whole();
    const slot = await slotOf(kept);
    const app = await kept.process('node /berth/app.mjs');
    const worker = await kept.process('agent.cjs', 'guarded');
    await underLoad(t, stage, { mayFail: 0 }, async (load) => {
      process.kill(worker, 'SIGKILL');
      await until(async () => (await kept.process('agent.cjs', 'guarded')) !== worker, {
        what: 'another one works',
      });
      await kept.event('slot.adopted');
      await until(() => isConnected(kept), { what: 'it is back' });
      await flowing(load, 60);
    });
    assert.ok(isAlive(app), 'the app lived through it');
    assert.deepEqual(await slotOf(kept), slot);
    // Guarded again: a stop is still in order.
    await underLoad(t, stage, { mayFail: 0, deadStayDown: false }, () => kept.stop());
  });
});

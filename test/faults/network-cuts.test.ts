// Cut networks, under load: silence is not death. An app that serves keeps its slot, one that HAProxy cannot reach is
// out of traffic and comes back by itself.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from '../bench/wait.ts';
import { cut } from './cut.ts';
import type { Instance } from './instance.ts';
import { readRows } from './slot-rows.ts';
import { Stage } from './stage.ts';
import { flowing, underLoad } from './under-load.ts';

describe('a cut network', () => {
  let stage: Stage;
  let first: Instance;
  before(async () => {
    stage = await Stage.set();
    [first = assert.fail()] = await stage.instances(3);
  });
  after(() => stage[Symbol.asyncDispose]());

  const gateway = () => stage.network.gateway;
  const isConnected = async () => {
    const { items } = await stage.coordinator.read<{ items: { id: string; connected: boolean }[] }>(
      '/api/v1/agents',
    );
    return items.find(({ id }) => id === first.agent)?.connected;
  };
  const slotOf = async (instance: Instance) => {
    const at = `${await instance.address()}:8080`;
    return (await readRows(stage.haproxy)).slots.find((slot) => slot.at === at);
  };

  it('between agent and coordinator: the app serves on in its slot, and fails no request', async (t) => {
    const slot = await slotOf(first);
    const since = Date.now();
    await underLoad(t, stage, { mayFail: 0 }, async (load) => {
      await using away = await cut(first, { address: gateway(), there: stage.coordinator.port });
      await until(async () => (await isConnected()) === false, {
        what: 'the coordinator has lost the agent',
      });
      await flowing(load, 120);
      assert.deepEqual(await slotOf(first), slot);
      await away.mend();
      await until(isConnected, { what: 'the agent is back', deadlineMs: 20_000 });
    });
    assert.deepEqual(await slotOf(first), slot);
    const rows = await stage.coordinator.audit(since, { event: 'slot.*' });
    assert.deepEqual(rows, [], 'no slot was touched');
  });

  it('between agent and HAProxy: the slot is down, and up again by itself', async (t) => {
    const since = Date.now();
    const slot = await slotOf(first);
    // What it has been sent before HAProxy finds out hangs until the cut is mended.
    await underLoad(t, stage, { mayFail: 60 }, async () => {
      await using inbound = await cut(first, { address: gateway(), there: stage.haproxy.cliPort });
      await using outbound = await cut(first, { address: gateway(), here: 8080 });
      await until(async () => (await slotOf(first))?.state === 'down', { what: 'its slot is down' });
      await stage.whole({ without: [first], deadStayDown: true });
      await Promise.all([inbound.mend(), outbound.mend()]);
    });
    assert.deepEqual(await slotOf(first), slot, 'it has the slot that it had');
    const rows = await stage.coordinator.audit(since, { event: 'slot.re*' });
    assert.deepEqual(rows, [], 'the coordinator heard the agent all the time, and took nothing');
  });

  it('HAProxy away at the start of an agent: the app runs, and gets its slot when HAProxy is there', async () => {
    await stage.haproxy.kill('SIGKILL');
    const late = await stage.instance('late-1');
    await late.event('registration.failed');
    await until(async () => (await late.ask('/')).ok, { what: 'its app answers' });
    await stage.haproxy.start();
    await stage.whole();
    await stage.remove(late);
    await stage.whole();
  });

  it('the coordinator away at the start of an agent: it gets its slot, and is known later', async (t) => {
    await underLoad(t, stage, { mayFail: 0 }, async () => {
      await stage.coordinator.kill();
      const late = await stage.instance('late-2');
      await stage.whole();
      await stage.coordinator.start();
      await late.event('session.opened');
    });
  });
});

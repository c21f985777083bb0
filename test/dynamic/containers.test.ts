// Dynamic mode with real containers, a real HAProxy without any template, and `berth serve` without NODE_COUNT: leaving
// under load, reloads and a kill -9, a death, and the address of a dead one in another service's container.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startLoad } from '../bench/load.ts';
import { until } from '../bench/wait.ts';
import type { Instance } from '../faults/instance.ts';
import { readRows } from '../faults/slot-rows.ts';
import { Stage } from '../faults/stage.ts';
import { whoAnswers } from '../faults/who-answers.ts';

interface Slot {
  backend: string;
  slot: string;
  state: string;
  agent: string | null;
  service: string | null;
}

describe('dynamic mode in containers', () => {
  let stage: Stage;
  let shop: Instance[];
  let blog: Instance[];
  before(async () => {
    stage = await Stage.set({ slots: 0, masterWorker: true, backends: ['shop', 'blog'] });
    [shop = [], blog = []] = await Promise.all(
      ['shop', 'blog'].map((backend) => stage.instances(3, { backend })),
    );
  });
  after(() => stage[Symbol.asyncDispose]());

  const names = async () => (await readRows(stage.haproxy)).slots.map(({ name }) => name).sort();
  const nameOf = async (instance: Instance) => `node-${await instance.address()}:8080`;

  it('the API shows each server with its agent and service', async () => {
    const expected = [...shop, ...blog].map(async (instance) => {
      const service = instance.name.replace(/-.*/, '');
      return [service, await nameOf(instance), 'ready', instance.agent, service].join(' ');
    });
    const wanted = (await Promise.all(expected)).sort();
    const shown = async () => {
      const { items } = await stage.coordinator.read<{ items: Slot[] }>('/api/v1/slots');
      return items
        .map(({ backend, slot, state, agent, service }) => [backend, slot, state, agent, service].join(' '))
        .sort();
    };
    // HAProxy has a server a moment before the coordinator hears of its agent's.
    await until(async () => (await shown()).join() === wanted.join(), { what: 'all are shown' });
    assert.deepEqual(await shown(), wanted);
  });

  it('docker stop and start under load: no failed request, and its server goes and comes', async (t) => {
    const [leaver = assert.fail()] = shop;
    const name = await nameOf(leaver);
    await using load = startLoad({ url: stage.haproxy.url('shop'), ratePerSecond: 40, maxSeconds: 60 });
    await leaver.stop();
    await until(async () => !(await names()).includes(name), { what: 'its server is deleted' });
    await leaver.start();
    await stage.whole({ withinMs: 30_000 });
    const { sent, failed, errors } = await load.stop();
    t.diagnostic(`${sent} requests`);
    assert.deepEqual([failed, errors], [0, {}]);
  });

  it('a reload and a kill -9 of HAProxy, with the coordinator', async (t) => {
    await stage.haproxy.reload();
    t.diagnostic(`after a reload: ${Math.round(await stage.whole())} ms`);
    await stage.haproxy.kill();
    await stage.haproxy.start();
    t.diagnostic(`after kill -9: ${Math.round(await stage.whole())} ms`);
    assert.equal((await names()).length, 6);
  });

  it('one that is killed: its server is taken out and deleted', async () => {
    const [, victim = assert.fail()] = shop;
    const name = await nameOf(victim);
    await victim.kill();
    await until(async () => !(await names()).includes(name), { what: 'it is deleted', deadlineMs: 30_000 });
    await victim.start();
    await stage.whole({ withinMs: 30_000 });
  });

  it('the address of a dead one in the other service: nobody is answered by a stranger, nothing is left', async () => {
    const [, , victim = assert.fail()] = shop;
    const asked = ['shop', 'blog'].map((service) => ({
      service,
      who: whoAnswers(`${stage.haproxy.url(service)}/`, 30),
    }));
    const ip = await victim.address();
    await victim.kill();
    await stage.instance('blog-4', { backend: 'blog', ip, app: 'quick-app.pl' });
    await stage.whole({ withinMs: 30_000, deadStayDown: false });
    for (const { service, who } of asked) {
      const { hosts } = await who.stop();
      assert.ok(hosts.size > 0);
      assert.deepEqual(
        [...hosts.keys()].filter((host) => !host.startsWith(service)),
        [],
      );
    }
    // One that HAProxy did not let go at once is deleted a moment later.
    await until(async () => (await names()).length === 6, { what: 'nothing else is left' });
  });

  it('without a coordinator: a reload, a kill -9, a stop, all by the agents alone', async (t) => {
    await stage.coordinator.kill();
    await stage.haproxy.reload();
    t.diagnostic(`after a reload: ${Math.round(await stage.whole({ withinMs: 30_000 }))} ms`);
    await stage.haproxy.kill();
    await stage.haproxy.start();
    t.diagnostic(`after kill -9: ${Math.round(await stage.whole({ withinMs: 30_000 }))} ms`);
    const [leaver = assert.fail()] = blog;
    await leaver.stop();
    await until(async () => (await names()).length === 5, { what: 'its server is deleted' });
  });
});

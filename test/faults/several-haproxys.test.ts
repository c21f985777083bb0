// Two HAProxys, each with slots of its own, and containers on several networks.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startLoad } from '../bench/load.ts';
import type { Instance } from './instance.ts';
import { Stage } from './stage.ts';
import { flowing, underLoad } from './under-load.ts';

describe('two HAProxys', () => {
  let stage: Stage;
  let apps: Instance[];
  before(async () => {
    stage = await Stage.set({ haproxys: 2 });
    apps = await stage.instances(3);
  });
  after(() => stage[Symbol.asyncDispose]());

  const other = () => stage.haproxys[1] ?? assert.fail();

  it('one is killed and comes back: the other serves on, and both have every instance again', async (t) => {
    await underLoad(t, stage, { mayFail: 0 }, async (load) => {
      await other().kill('SIGKILL');
      await flowing(load, 120);
      await other().start();
    });
  });

  it('an instance leaves both in order while one is away, within its bound', async (t) => {
    const [first = assert.fail()] = apps;
    await other().kill('SIGKILL');
    await underLoad(t, stage, { mayFail: 0, deadStayDown: false }, async () => {
      await first.stop();
      assert.equal(await first.container.exitCode(), 0, 'it was not killed by Docker');
      await other().start();
    });
    await first.start();
    await stage.whole();
  });

  it('docker stop fails no request at either', async (t) => {
    const [first = assert.fail()] = apps;
    await using there = startLoad({ url: `${other().url()}/`, ratePerSecond: 60, maxSeconds: 30 });
    await underLoad(t, stage, { mayFail: 0, deadStayDown: false }, async () => {
      await first.stop();
      await stage.whole();
      await first.start();
    });
    const { sent, failed, errors } = await there.stop();
    t.diagnostic(`at the other: ${sent} requests, ${failed} failed`);
    assert.deepEqual(errors, {});
  });

  it('a container on three networks registers the address at which HAProxy reaches it', async () => {
    // The one whose name comes first gets the default route.
    const names = ['a', 'z'].map((letter) => `${letter}-${stage.network.name}`);
    const many = await stage.instance('many');
    await many.stop();
    for (const name of names) {
      await stage.engine.network(name);
      await stage.engine.run(['network', 'connect', name, many.container.id]);
    }
    await many.start();
    await stage.whole();
    const interfaces = await many.container.exec('ls', '/sys/class/net');
    assert.deepEqual(interfaces.split(/\s+/).sort(), ['eth0', 'eth1', 'eth2', 'lo']);
    await stage.remove(many);
    await stage.whole();
  });
});

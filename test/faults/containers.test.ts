// What Docker does to app containers, under load, with the coordinator and without it.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from '../bench/wait.ts';
import type { Instance } from './instance.ts';
import { Stage } from './stage.ts';
import { assertOrder } from './timeline.ts';
import { underLoad } from './under-load.ts';

describe('containers', () => {
  let stage: Stage;
  let first: Instance;
  before(async () => {
    stage = await Stage.set();
    [first = assert.fail()] = await stage.instances(3);
  });
  after(() => stage[Symbol.asyncDispose]());

  it('docker stop and start fail no request, and the audit tells the story', async (t) => {
    const since = Date.now();
    await underLoad(t, stage, { mayFail: 0 }, async () => {
      await first.stop();
      await stage.whole();
      await first.start();
    });
    const events = [
      'slot.draining',
      'slot.drained',
      'app.stopping',
      'app.exited',
      'slot.released',
      'agent.left',
    ];
    const all = [...events, 'agent.connected', 'slot.claimed', 'slot.ready'];
    assertOrder(await stage.coordinator.audit(since, { agent: first.agent }), all);
  });

  it('docker restart fails no request', async (t) => {
    await underLoad(t, stage, { mayFail: 0 }, () => first.restart());
  });

  it('docker kill costs no more than what was in flight, and the slot is reclaimed', async (t) => {
    await underLoad(t, stage, { mayFail: 10 }, async () => {
      await first.kill();
      await stage.whole();
      await first.start();
    });
  });

  it('a claim whose claimant died half way leaves neither lock nor slot', async () => {
    await stage.haproxy.cli('add server app/claim.node10 127.0.0.1:1');
    await stage.haproxy.cli(`set server app/node10 addr ${stage.addressAt(9)} port 8080`);
    await stage.whole({ withinMs: 15_000 });
  });

  everywhere('with the coordinator', 1);

  describe('the coordinator is away', () => {
    before(() => stage.coordinator.kill());
    everywhere('without a coordinator', 3);
  });

  function everywhere(how: string, number: number): void {
    it(`stopped and started with another address, a container leaves no old slot, ${how}`, async (t) => {
      await underLoad(t, stage, { mayFail: 0, deadStayDown: false }, async () => {
        await first.stop();
        await first.moveTo(stage.addressAt(number));
        await first.start();
      });
    });

    it(`killed and started with another address, a container leaves no old slot, ${how}`, async (t) => {
      await underLoad(t, stage, { mayFail: 10, deadStayDown: false }, async () => {
        await first.kill();
        await first.moveTo(stage.addressAt(number + 1));
        await first.start();
      });
    });

    it(`paused, a container is out of traffic, and has exactly one slot once it goes on, ${how}`, async (t) => {
      // What it has been sent before HAProxy finds out waits for it, 20 requests a second.
      await underLoad(t, stage, { mayFail: 100, deadStayDown: false }, async () => {
        await first.pause();
        await stage.whole();
        await first.unpause();
        await until(async () => (await first.ask('/')).ok, { what: 'it answers' });
      });
    });
  }
});

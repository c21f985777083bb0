// What Docker does to app containers, under load, with the coordinator and without it.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from '../bench/wait.ts';
import type { Instance } from './instance.ts';
import { Stage } from './stage.ts';
import { assertOrder } from './timeline.ts';
import { underLoad } from './under-load.ts';

for (const coordinator of [true, false]) {
  describe(coordinator ? 'with the coordinator' : 'without a coordinator', () => {
    let stage: Stage;
    let first: Instance;
    before(async () => {
      stage = await Stage.set({ coordinator });
      [first = assert.fail()] = await stage.instances(3);
    });
    after(() => stage[Symbol.asyncDispose]());

    it('docker stop and start fail no request', async (t) => {
      const since = Date.now();
      await underLoad(t, stage, { mayFail: 0 }, async () => {
        await first.stop();
        await stage.whole({ deadStayDown: false });
        await first.start();
      });
      if (!coordinator) return;
      const rows = await stage.coordinator.audit(since, { agent: first.agent });
      const events = ['slot.draining', 'slot.drained', 'app.stopping', 'app.exited', 'slot.released'];
      assertOrder(rows, [...events, 'agent.left', 'agent.connected', 'slot.claimed', 'slot.ready']);
    });

    it('docker restart fails no request', async (t) => {
      await underLoad(t, stage, { mayFail: 0, deadStayDown: false }, () => first.restart());
    });

    it('docker kill costs no more than what was in flight, and its slot is not leaked', async (t) => {
      await underLoad(t, stage, { mayFail: 10, deadStayDown: false }, async () => {
        await first.kill();
        await stage.whole();
        await first.start();
      });
    });

    it('a container that was stopped and starts with another address leaves no old slot', async (t) => {
      await underLoad(t, stage, { mayFail: 0, deadStayDown: false }, async () => {
        await first.stop();
        await first.moveTo(stage.addressAt(1));
        await first.start();
      });
    });

    it('a container that was killed and starts at once with another address leaves no old slot', async (t) => {
      await underLoad(t, stage, { mayFail: 10, deadStayDown: false }, async () => {
        await first.kill();
        await first.moveTo(stage.addressAt(2));
        await first.start();
      });
    });

    it('a paused container is out of traffic, and has exactly one slot once it goes on', async (t) => {
      // What it has been sent before HAProxy finds out waits for it, at 20 requests a second.
      await underLoad(t, stage, { mayFail: 100, deadStayDown: false }, async () => {
        await first.pause();
        await stage.whole();
        await first.unpause();
        await until(async () => (await first.ask('/')).ok, { what: 'it answers' });
      });
    });
  });
}

// What is done in order fails no request: a slow boot, a rolling replace, readiness lost and regained, an app that is
// given up. And apps that do not behave while they are stopped.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from '../bench/wait.ts';
import type { Instance } from './instance.ts';
import { readRows } from './slot-rows.ts';
import { Stage } from './stage.ts';
import { assertOrder } from './timeline.ts';
import { flowing, underLoad } from './under-load.ts';

describe('in order', () => {
  let stage: Stage;
  let apps: Instance[];
  before(async () => {
    // HAProxy checks by TCP only: readiness is the agent's alone. And it tries nothing again: no order is no luck.
    stage = await Stage.set({ check: 'tcp', retries: false });
    apps = await stage.instances(3);
  });
  after(() => stage[Symbol.asyncDispose]());

  const slotOf = async (instance: Instance) => {
    const at = `${await instance.address()}:8080`;
    return (await readRows(stage.haproxy)).slots.find((slot) => slot.at === at);
  };
  const metricsOf = async (agent: string) => {
    type Numbers = Record<string, { value: number }>;
    const path = `/api/v1/agents/${agent}`;
    return (await stage.coordinator.read<{ metrics?: Numbers }>(path)).metrics ?? {};
  };
  const probes = {
    BERTH_READY: '/healthz',
    BERTH_READY_INTERVAL: '200ms',
    BERTH_READY_FAILURES: '2',
    BERTH_READY_SUCCESSES: '2',
  };

  it('an app that boots for 10 s gets no request before it listens', async (t) => {
    await underLoad(t, stage, { mayFail: 0 }, async (load) => {
      const slow = await stage.instance('slow', { env: { BOOT_MS: '10000' } });
      await until(async () => (await slotOf(slow))?.state === 'ready', {
        what: 'it has a slot',
        deadlineMs: 20_000,
      });
      await flowing(load, 60);
      await slow.stop();
      await stage.whole();
      await stage.remove(slow);
    });
  });

  it('readiness lost and regained: out of traffic and in again, in the same slot', async (t) => {
    const numbers = { BERTH_APP_METRICS: 'begun=/stats#begun', BERTH_APP_METRICS_INTERVAL: '200ms' };
    const moody = await stage.instance('moody', {
      env: { ...probes, ...numbers },
      options: ['--cpus', '0.5', '--memory', '200m'],
    });
    await stage.whole();
    await until(
      async () => {
        const metrics = await metricsOf(moody.agent);
        assert.ok((metrics['begun']?.value ?? 0) > 0);
        assert.equal(metrics['container.cpu.limit']?.value, 0.5);
        assert.equal(metrics['container.memory.limit']?.value, 200 * 1024 * 1024);
        const { value: memory = 0 } = metrics['container.memory'] ?? {};
        assert.ok(memory > 10_000_000 && memory < 200 * 1024 * 1024, `${memory} bytes`);
        const { value: cores = -1 } = metrics['container.cpu'] ?? {};
        assert.ok(cores >= 0, `${cores} cores`);
        return true;
      },
      { what: "the coordinator has the app's number and those of its cgroup" },
    );
    const slot = await slotOf(moody);
    const since = Date.now();
    await underLoad(t, stage, { mayFail: 0 }, async (load) => {
      await moody.ask('/health/503', 'POST');
      await until(async () => (await slotOf(moody))?.state === 'drain', { what: 'its slot is in drain' });
      await flowing(load, 60);
      await moody.ask('/health/200', 'POST');
    });
    assert.deepEqual(await slotOf(moody), slot);
    const told = ['app.unready', 'slot.draining', 'app.ready', 'slot.ready'];
    await until(
      async () => {
        assertOrder(await stage.coordinator.audit(since, { agent: moody.agent }), told);
        return true;
      },
      { what: 'the audit has it' },
    );
    await stage.remove(moody);
    await stage.whole();
  });

  it('liveness lost: the app is ended, out of traffic first, and the restart policy brings it back', async (t) => {
    const env = { ...probes, BERTH_LIVE: '/healthz', BERTH_LIVE_INTERVAL: '300ms', BERTH_LIVE_FAILURES: '3' };
    const ill = await stage.instance('ill', { env, options: ['--restart', 'on-failure'] });
    await stage.whole();
    const since = Date.now();
    await underLoad(t, stage, { mayFail: 0, withinMs: 15_000, deadStayDown: false }, async () => {
      await ill.ask('/health/503', 'POST');
      await ill.event('app.given-up');
      await ill.event('app.started', 2);
    });
    const rows = await stage.coordinator.audit(since, { agent: ill.agent });
    assertOrder(rows, ['app.given-up', 'app.stopping', 'app.exited', 'slot.released', 'slot.claimed']);
    await stage.remove(ill);
    await stage.whole();
  });

  it('a rolling replace of all three instances fails no request, short or 2 s long', async (t) => {
    const load = { longShare: 0.1, longPath: '/slow?ms=2000', keepAlive: true };
    await underLoad(t, stage, { mayFail: 0, load, deadStayDown: false }, async () => {
      for (const [index, old] of apps.entries()) {
        const next = await stage.instance(`next-${index + 1}`);
        await stage.whole();
        await old.stop();
        await stage.remove(old);
        apps[index] = next;
      }
    });
  });

  it('an app that ignores SIGTERM is out of traffic, and killed within the bound', async (t) => {
    const stubborn = await stage.instance('stubborn', {
      app: 'odd-app.mjs',
      env: { BERTH_STOP_TIMEOUT: '1s' },
    });
    await stage.whole();
    await underLoad(t, stage, { mayFail: 0, deadStayDown: false }, () => stubborn.stop());
    await stubborn.event('app.killed');
    assert.equal(await stubborn.container.exitCode(), 137);
    await stage.remove(stubborn);
  });

  it('an app that ends in the drain costs its own request, and its slot is free at once', async (t) => {
    const hasty = await stage.instance('hasty', { app: 'odd-app.mjs' });
    await stage.whole();
    const load = { longShare: 0.1, longPath: '/slow?ms=2000' };
    // What the app had in work when it ended: at 6 long ones a second, a quarter of 2 s of them.
    await underLoad(t, stage, { mayFail: 10, load, deadStayDown: false }, async () => {
      const stopping = hasty.stop();
      await until(async () => (await slotOf(hasty))?.state === 'drain', { what: 'its slot is in drain' });
      await hasty.ask('/exit', 'POST').catch(() => undefined);
      await stopping;
    });
    assert.equal(await hasty.container.exitCode(), 3);
    await stage.remove(hasty);
  });

  it('an app that closes its port in the drain answers what it has, and fails no request', async (t) => {
    const closing = await stage.instance('closing', {
      app: 'odd-app.mjs',
      env: { BERTH_STOP_TIMEOUT: '1s' },
    });
    await stage.whole();
    const load = { longShare: 0.1, longPath: '/slow?ms=2000' };
    await underLoad(t, stage, { mayFail: 0, load, deadStayDown: false }, async () => {
      const stopping = closing.stop();
      await until(async () => (await slotOf(closing))?.state === 'drain', { what: 'its slot is in drain' });
      await closing.ask('/close', 'POST');
      await stopping;
    });
    await stage.remove(closing);
  });
});

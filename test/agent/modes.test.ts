// Sidecar mode, and BERTH_ON_AGENT_EXIT=keep.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startApp } from '../bench/app.ts';
import type { Haproxy } from '../bench/haproxy.ts';
import { isAlive } from '../bench/processes.ts';
import { until } from '../bench/wait.ts';
import { startAgent, workerOf } from './agent-process.ts';
import { heldSlots, slots, startInstance, startLoadBalancer, untilSlot } from './fleet.ts';

let haproxy: Haproxy;
before(async () => {
  haproxy = await startLoadBalancer();
});
after(async () => {
  await haproxy[Symbol.asyncDispose]();
});

const setHealth = (port: number, status: number) =>
  fetch(`http://127.0.0.1:${port}/health/${status}`, { method: 'POST' });

async function begun(port: number): Promise<number> {
  const stats: { begun?: unknown } = Object(await (await fetch(`http://127.0.0.1:${port}/stats`)).json());
  return Number(stats.begun);
}

function startSidecar(port: number, env: Readonly<Record<string, string>> = {}) {
  return startAgent([], {
    HAPROXY_SERVER: `${haproxy.address}:${haproxy.cliPort}`,
    NODE_COUNT: String(slots),
    BERTH_APP_PORT: String(port),
    ...env,
  });
}

test('a sidecar registers the app beside it, and leaves on its own signal', async () => {
  await using app = await startApp();
  await using sidecar = await startSidecar(app.port);
  await untilSlot(haproxy, app.port, 'ready');
  sidecar.signal('SIGTERM');
  assert.equal((await sidecar.exited).code, 0);
  assert.ok(!(await heldSlots(haproxy)).has(app.port));
  assert.equal(app.exit(), undefined);
});

test('a sidecar waits for an app that comes later, and drains one that goes away for a while', async () => {
  await using app = await startApp({ env: { BOOT_MS: '500' } });
  await using sidecar = await startSidecar(app.port, {
    BERTH_READY: '/healthz',
    BERTH_READY_INTERVAL: '100ms',
  });
  await untilSlot(haproxy, app.port, 'ready');
  await setHealth(app.port, 503);
  await untilSlot(haproxy, app.port, 'drain');
  await setHealth(app.port, 200);
  await untilSlot(haproxy, app.port, 'ready');
  assert.equal(sidecar.exit(), undefined);
});

test('a sidecar stays with an app that is unready for long, and leaves when its port is gone for long', async () => {
  await using app = await startApp();
  await using sidecar = await startSidecar(app.port, {
    BERTH_READY: '/healthz',
    BERTH_READY_INTERVAL: '50ms',
    BERTH_SIDECAR_GONE: '200ms',
  });
  await untilSlot(haproxy, app.port, 'ready');
  await setHealth(app.port, 503);
  await untilSlot(haproxy, app.port, 'drain');
  // Longer than five times what a port may be gone: that many probes more have been answered.
  const probes = await begun(app.port);
  await until(async () => (await begun(app.port)) > probes + 20, { what: 'it probes on' });
  assert.equal(sidecar.exit(), undefined, sidecar.output());
  await setHealth(app.port, 200);
  await untilSlot(haproxy, app.port, 'ready');
  await setHealth(app.port, 503);
  await untilSlot(haproxy, app.port, 'drain');
  await app.stop();
  assert.equal((await sidecar.exited).code, 70);
});

test("a sidecar leaves when the app's port is gone for long, and that is no success", async () => {
  await using app = await startApp();
  const times = { BERTH_SIDECAR_GONE: '300ms', BERTH_READY_INTERVAL: '50ms' };
  await using sidecar = await startSidecar(app.port, times);
  await untilSlot(haproxy, app.port, 'ready');
  await app.stop();
  assert.equal((await sidecar.exited).code, 70);
  assert.match(
    (await sidecar.event('agent.stopping')).msg,
    /the app's port has taken no connection for 300ms/,
  );
  assert.ok(!(await heldSlots(haproxy)).has(app.port));
});

const keep = { BERTH_ON_AGENT_EXIT: 'keep' };

test('with keep, the agent may die: the app and its slot stay, and it is started again', async () => {
  await using instance = await startInstance(haproxy, keep);
  await untilSlot(haproxy, instance.port, 'ready');
  const first = await workerOf(instance.pid);
  process.kill(first, 'SIGKILL');
  await instance.event('agent.died');
  assert.equal((await fetch(haproxy.url())).status, 200);
  const second = await until(
    async () => {
      const worker = await workerOf(instance.pid);
      return worker !== first && worker;
    },
    { what: 'another working half' },
  );
  await instance.event('slot.adopted');
  assert.equal((await fetch(haproxy.url())).status, 200);
  instance.signal('SIGTERM');
  assert.equal((await instance.exited).code, 0);
  assert.ok(!(await heldSlots(haproxy)).has(instance.port));
  assert.ok(!isAlive(second));
});

test('with keep, an app that ends by itself is out at once', async () => {
  await using instance = await startInstance(haproxy, { ...keep, EXIT_CODE: '3' });
  await untilSlot(haproxy, instance.port, 'ready');
  const app = Number((await (await fetch(haproxy.url())).text()).split(' ')[1]);
  process.kill(app, 'SIGKILL');
  assert.equal((await instance.exited).code, 137);
  assert.ok(!(await heldSlots(haproxy)).has(instance.port));
});

test('with keep, a liveness probe that fails ends the app', async () => {
  const live = { BERTH_LIVE: '/healthz', BERTH_LIVE_INTERVAL: '100ms', BERTH_STARTUP: 'tcp' };
  await using instance = await startInstance(haproxy, { ...keep, ...live });
  await untilSlot(haproxy, instance.port, 'ready');
  await setHealth(instance.port, 500);
  assert.equal((await instance.exited).code, 70);
  assert.ok(!(await heldSlots(haproxy)).has(instance.port));
});

test('with keep, the slot is tended even when the parent is killed', async () => {
  await using instance = await startInstance(haproxy, {
    ...keep,
    BERTH_SIDECAR_GONE: '500ms',
    BERTH_READY_INTERVAL: '100ms',
  });
  await untilSlot(haproxy, instance.port, 'ready');
  const worker = await workerOf(instance.pid);
  const app = Number((await (await fetch(haproxy.url())).text()).split(' ')[1]);
  process.kill(instance.pid, 'SIGKILL');
  assert.ok(isAlive(app), 'the app lives on');
  assert.ok(isAlive(worker));
  process.kill(app, 'SIGKILL');
  await until(() => !isAlive(worker), { what: 'the working half has left', deadlineMs: 20_000 });
  await untilSlot(haproxy, instance.port, 'none');
});

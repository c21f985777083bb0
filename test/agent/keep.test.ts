// BERTH_ON_AGENT_EXIT=keep: a stop goes its way whatever has become of the worker.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Haproxy } from '../bench/haproxy.ts';
import { until } from '../bench/wait.ts';
import { workerOf } from './agent-process.ts';
import { startCoordinator } from './coordinator.ts';
import {
  heldSlots,
  type Instance,
  startInstance,
  startLoadBalancer,
  untilSession,
  untilSlot,
} from './fleet.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-keep-'));
const mark = join(folder, 'hook-ran');
let haproxy: Haproxy;
before(async () => {
  haproxy = await startLoadBalancer();
});
after(async () => {
  await haproxy[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function startKept(env: Readonly<Record<string, string>> = {}): Promise<Instance> {
  const instance = await startInstance(haproxy, { BERTH_ON_AGENT_EXIT: 'keep', ...env });
  await untilSlot(haproxy, instance.port, 'ready');
  return instance;
}

const appOf = async (): Promise<number> => Number((await (await fetch(haproxy.url())).text()).split(' ')[1]);

/** Kills the worker, and resolves when the parent knows. */
async function killWorker(instance: Instance): Promise<number> {
  const deaths = () => instance.log().filter(({ event }) => event === 'agent.died').length;
  const before = deaths();
  const worker = await workerOf(instance.pid);
  process.kill(worker, 'SIGKILL');
  await until(() => deaths() > before, { what: 'the parent has seen its worker die', everyMs: 2 });
  return worker;
}

/** It drained before the app had its signal, and gave the slot back. */
async function assertLeftInOrder(instance: Instance): Promise<void> {
  assert.equal((await instance.exited).code, 0, instance.output());
  assert.ok(!(await heldSlots(haproxy)).has(instance.port), instance.output());
  const events = instance.log().map(({ event }) => event);
  const at = (event: string) => events.lastIndexOf(event);
  assert.ok(at('slot.drained') > at('agent.stopping'), instance.output());
  assert.ok(at('slot.drained') < at('app.stopping'), instance.output());
  assert.ok(at('app.exited') < at('slot.released'), instance.output());
}

test('a stop while the worker is dead, or waits for its next start, drains and gives the slot back', async () => {
  await using instance = await startKept();
  // Each death makes the wait longer: 100, 200, 400 ms.
  for (let deaths = 0; deaths < 3; deaths += 1) await killWorker(instance);
  instance.signal('SIGTERM');
  await assertLeftInOrder(instance);
});

test('a stop at the moment in which the worker is killed does so too', async () => {
  await using instance = await startKept();
  process.kill(await workerOf(instance.pid), 'SIGKILL');
  instance.signal('SIGTERM');
  await assertLeftInOrder(instance);
});

test('a stop while the worker boots does so too', async () => {
  await using instance = await startKept();
  const first = await killWorker(instance);
  const second = await until(
    async () => {
      const worker = await workerOf(instance.pid);
      return worker !== first && worker;
    },
    { what: 'another worker', everyMs: 2 },
  );
  process.kill(second, 'SIGSTOP');
  instance.signal('SIGTERM');
  await instance.event('agent.stopping');
  process.kill(second, 'SIGCONT');
  await assertLeftInOrder(instance);
});

test('a worker that is killed while it drains is followed by one that goes on, with the request that runs', async () => {
  await using instance = await startKept();
  const slow = fetch(`${haproxy.url()}/slow?ms=1500`);
  await untilSession(haproxy);
  instance.signal('SIGTERM');
  await untilSlot(haproxy, instance.port, 'drain');
  await killWorker(instance);
  assert.equal((await slow).status, 200);
  await assertLeftInOrder(instance);
});

test('a worker that is killed while the app ends does not put the app back into traffic', async () => {
  await using instance = await startKept({ STOP_MS: '700' });
  instance.signal('SIGTERM');
  await instance.event('app.stopping');
  await killWorker(instance);
  await assertLeftInOrder(instance);
  const events = instance.log().map(({ event }) => event);
  assert.ok(!events.slice(events.indexOf('app.stopping')).includes('slot.ready'), instance.output());
});

test('an app that dies is in maintenance at once: no drain, and no hook for a dead app', async () => {
  await using instance = await startKept({ BERTH_PRE_STOP: `touch ${mark}; sleep 5` });
  // A connection of a client would hold a drain up.
  const slow = fetch(`${haproxy.url()}/slow?ms=30000`).catch(() => undefined);
  await untilSession(haproxy);
  process.kill(await appOf(), 'SIGKILL');
  assert.equal((await instance.exited).code, 137);
  await slow;
  assert.ok(!(await heldSlots(haproxy)).has(instance.port));
  const events = instance.log().map(({ event }) => event);
  assert.ok(events.includes('slot.released'), instance.output());
  assert.ok(!events.includes('slot.drained') && !events.includes('hook.ended'), instance.output());
  assert.ok(!existsSync(mark));
});

test('an app that dies while the worker is dead gets its slot given back', async () => {
  await using instance = await startKept();
  const app = await appOf();
  for (let deaths = 0; deaths < 3; deaths += 1) await killWorker(instance);
  process.kill(app, 'SIGKILL');
  assert.equal((await instance.exited).code, 137);
  assert.ok(!(await heldSlots(haproxy)).has(instance.port), instance.output());
});

test('a hook that takes long is waited for, and the slot is given back after it', async () => {
  const line = `sleep 2.7; touch ${mark}`;
  await using instance = await startKept({ BERTH_PRE_STOP: line, BERTH_DRAIN_TIMEOUT: '3s' });
  instance.signal('SIGTERM');
  await assertLeftInOrder(instance);
  assert.ok(existsSync(mark), instance.output());
});

test('two signals back to back end the waiting', async () => {
  await using instance = await startKept({ BERTH_DRAIN_TIMEOUT: '10m', BERTH_STOP_TIMEOUT: '100ms' });
  const slow = fetch(`${haproxy.url()}/slow?ms=20000`).catch(() => undefined);
  await untilSession(haproxy);
  instance.signal('SIGTERM');
  instance.signal('SIGINT');
  // Which of them is the second is up to Linux: INT ends this app, and TERM does not while a request runs.
  assert.match(String((await instance.exited).code), /^(?:130|137)$/, instance.output());
  await slow;
  assert.ok(!(await heldSlots(haproxy)).has(instance.port), instance.output());
});

test('a liveness probe that fails waits for no session longer than a second', async () => {
  const live = { BERTH_LIVE: '/healthz', BERTH_LIVE_INTERVAL: '100ms', BERTH_DRAIN_TIMEOUT: '10m' };
  await using instance = await startKept({ ...live, BERTH_STOP_TIMEOUT: '100ms' });
  const slow = fetch(`${haproxy.url()}/slow?ms=30000`).catch(() => undefined);
  await untilSession(haproxy);
  await fetch(`http://127.0.0.1:${instance.port}/health/500`, { method: 'POST' });
  assert.equal((await instance.exited).code, 137, instance.output());
  await slow;
  assert.match((await instance.event('agent.stopping')).msg, /the liveness probe failed: status 500/);
});

test("what the parent does reaches the coordinator's audit", async () => {
  await using coordinator = await startCoordinator();
  await using instance = await startKept({ BERTH_COORDINATOR: coordinator.url });
  await coordinator.heartbeat('of the app in traffic', ({ phase }) => phase === 'ready');
  instance.signal('SIGTERM');
  await instance.exited;
  const told = () => coordinator.heartbeats().flatMap(({ events = [] }) => events.map(({ event }) => event));
  await until(() => told().includes('app.exited'), { what: 'the end of the app is heard of' });
  assert.ok(told().includes('app.stopping'));
  await until(() => coordinator.messages.some(({ type }) => type === 'goodbye'), { what: 'the goodbye' });
});

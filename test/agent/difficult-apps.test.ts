// Apps that do not do what one expects of an app.
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { after, before, test } from 'node:test';
import type { Haproxy } from '../bench/haproxy.ts';
import { isAlive } from '../bench/processes.ts';
import {
  heldSlots,
  type Instance,
  startInstance,
  startLoadBalancer,
  untilSession,
  untilSlot,
} from './fleet.ts';

let haproxy: Haproxy;
before(async () => {
  haproxy = await startLoadBalancer();
});
after(async () => {
  await haproxy[Symbol.asyncDispose]();
});

const quick = { BERTH_DRAIN_TIMEOUT: '500ms', BERTH_STOP_TIMEOUT: '700ms' };

/** A Node app that serves, after `before`, with `onTerm` as its answer to SIGTERM. */
function app(onTerm: string, more = ''): string[] {
  const text = `
    const server = require('node:http').createServer((request, response) => setTimeout(() => response.end('hi'), Number(new URL(request.url, 'http://a').searchParams.get('ms') ?? 0)));
    server.listen(Number(process.env.PORT), process.env.HOST);
    process.on('SIGTERM', () => { ${onTerm} });
    ${more}
  `;
  return [process.execPath, '-e', text];
}

async function assertReleased(instance: Instance): Promise<void> {
  assert.ok(!(await heldSlots(haproxy)).has(instance.port), 'the slot was given back');
}

test('one that ignores SIGTERM is killed after its grace, and its slot is given back', async () => {
  await using instance = await startInstance(haproxy, quick, app(''));
  await untilSlot(haproxy, instance.port, 'ready');
  instance.signal('SIGTERM');
  assert.equal((await instance.exited).code, 137);
  await instance.event('app.killed');
  await assertReleased(instance);
});

test('one that ends in the drain ends the drain', async () => {
  const ending = `process.on('SIGUSR2', () => process.exit(5));`;
  await using instance = await startInstance(haproxy, { BERTH_DRAIN_TIMEOUT: '60s' }, app('', ending));
  await untilSlot(haproxy, instance.port, 'ready');
  const slow = fetch(`${haproxy.url()}/?ms=20000`).catch(() => undefined);
  await untilSession(haproxy);
  instance.signal('SIGTERM');
  await instance.event('slot.draining');
  instance.signal('SIGUSR2');
  assert.equal((await instance.exited).code, 5);
  await assertReleased(instance);
  await slow;
});

test('one that ends by itself is in maintenance at once, and its exit code is passed on', async () => {
  const ending = `process.on('SIGUSR2', () => process.exit(9));`;
  await using instance = await startInstance(haproxy, {}, app('', ending));
  await untilSlot(haproxy, instance.port, 'ready');
  instance.signal('SIGUSR2');
  assert.equal((await instance.exited).code, 9);
  await assertReleased(instance);
  const { ms } = await instance.event('agent.stopped');
  assert.ok(Number(ms) < 1500, `released in ${ms} ms`);
});

test('one that forks and ends has ended: its exit code is passed on', async () => {
  await using instance = await startInstance(haproxy, {}, ['sh', '-c', 'sleep 30 & echo "left $!"; exit 4']);
  const left = Number(/\d+/.exec(await instance.waitForLine(/^left/))?.[0]);
  assert.equal((await instance.exited).code, 4);
  assert.ok(isAlive(left), 'what it left behind lives until the container ends');
  process.kill(left, 'SIGKILL');
});

test('one that never listens gets no slot, and stops as told', async () => {
  await using instance = await startInstance(haproxy, quick, ['sleep', '60']);
  await instance.event('app.started');
  instance.signal('SIGTERM');
  assert.equal((await instance.exited).code, 143);
  assert.ok(!instance.log().some(({ event }) => event === 'slot.claimed'));
});

test('one that listens on 127.0.0.1 only is told so, with the mend', async () => {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const outside = addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
  assert.ok(outside !== undefined, 'this machine has an address besides loopback');
  await using instance = await startInstance(haproxy, { BERTH_APP_HOST: outside }, app('process.exit(0)'));
  const { msg } = await instance.event('app.unreachable');
  assert.equal(
    msg,
    `the app listens on 127.0.0.1:${instance.port} only and refuses ${outside}:${instance.port}, the address at which HAProxy would reach it: make it listen on 0.0.0.0 (often called host or bind), or set BERTH_APP_HOST`,
  );
  assert.ok(!instance.log().some(({ event }) => event === 'slot.claimed'));
});

test('one that closes its port while draining still finishes what it began', async () => {
  // It stops listening on SIGUSR2, which comes in the middle of the drain.
  const closing = `process.on('SIGUSR2', () => server.close());`;
  await using instance = await startInstance(
    haproxy,
    { BERTH_DRAIN_TIMEOUT: '10s', BERTH_READY_INTERVAL: '50ms' },
    app('process.exit(0)', closing),
  );
  await untilSlot(haproxy, instance.port, 'ready');
  const slow = fetch(`${haproxy.url()}/?ms=1500`);
  await untilSession(haproxy);
  instance.signal('SIGTERM');
  await instance.event('slot.draining');
  instance.signal('SIGUSR2');
  assert.equal((await slow).status, 200);
  assert.equal((await instance.exited).code, 0);
  await assertReleased(instance);
});

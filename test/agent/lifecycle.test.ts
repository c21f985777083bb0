// The agent around an app, with a real HAProxy.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Haproxy } from '../bench/haproxy.ts';
import { startLoad } from '../bench/load.ts';
import { runProcess, startProcess } from '../bench/processes.ts';
import { until } from '../bench/wait.ts';
import { agentBundle } from './agent-bundle.ts';
import { leastEnvironment } from './agent-process.ts';
import { heldSlots, startInstance, startLoadBalancer, untilSlot } from './fleet.ts';

let haproxy: Haproxy;
before(async () => {
  haproxy = await startLoadBalancer();
});
after(async () => {
  await haproxy[Symbol.asyncDispose]();
});

const setHealth = (port: number, status: number) =>
  fetch(`http://127.0.0.1:${port}/health/${status}`, { method: 'POST' });

test('an app gets a slot when it answers, serves, and gives the slot back when it is stopped', async () => {
  await using instance = await startInstance(haproxy);
  await untilSlot(haproxy, instance.port, 'ready');
  assert.equal((await fetch(haproxy.url())).status, 200);
  instance.signal('SIGTERM');
  assert.equal((await instance.exited).code, 0);
  assert.ok(!(await heldSlots(haproxy)).has(instance.port));
  const events = instance.log().map(({ event }) => event);
  const order = ['app.started', 'app.ready', 'slot.claimed', 'slot.ready', 'agent.stopping', 'slot.draining'];
  const rest = ['slot.drained', 'app.stopping', 'app.exited', 'slot.released', 'agent.stopped'];
  assert.deepEqual(
    events.filter((event) => [...order, ...rest].includes(event)),
    [...order, ...rest],
  );
});

test('an app that boots for a second is in traffic soon after, and not before', async () => {
  await using instance = await startInstance(haproxy, { BOOT_MS: '1000' });
  const started = await instance.event('app.started');
  await untilSlot(haproxy, instance.port, 'ready');
  const claimed = await instance.event('slot.claimed');
  const afterMs = Date.parse(String(claimed['time'])) - Date.parse(String(started['time']));
  // Before the first interval of the readiness probe, 5 s, has passed.
  assert.ok(afterMs >= 1000 && afterMs < 5000, `claimed ${afterMs} ms after the start`);
});

test("with BERTH_GATE=haproxy it waits for HAProxy's own check as well", async () => {
  const lines = ['option httpchk GET /healthz', 'default-server rise 2'];
  await using strict = await startLoadBalancer({
    config: { backends: [{ name: 'app', lines }], slots: 5, inter: '200ms' },
  });
  await using instance = await startInstance(strict, { BERTH_GATE: 'haproxy' });
  await instance.event('slot.claimed');
  await untilSlot(strict, instance.port, 'ready');
  await instance.event('slot.ready');
  const events = instance.log().map(({ event }) => event);
  assert.ok(events.indexOf('slot.claimed') < events.indexOf('slot.ready'));
  const [header = '', ...rows] = (await strict.cli('show stat app 4 -1')).split('\n');
  const column = header.replace('# ', '').split(',').indexOf('check_status');
  assert.ok(rows.some((row) => row.split(',')[column] === 'L7OK'));
});

test('stopping under load fails no request, short or long', async () => {
  await using first = await startInstance(haproxy);
  await using second = await startInstance(haproxy);
  await untilSlot(haproxy, first.port, 'ready');
  await untilSlot(haproxy, second.port, 'ready');
  await using load = startLoad({
    url: haproxy.url(),
    ratePerSecond: 60,
    maxSeconds: 20,
    longShare: 0.1,
    longPath: '/slow?ms=700',
  });
  await until(() => load.total.ok > 30, { what: 'the load runs' });
  first.signal('SIGTERM');
  assert.equal((await first.exited).code, 0);
  const after = load.mark('after the stop');
  await until(() => after.ok > 30, { what: 'the load goes on' });
  const total = await load.stop();
  assert.deepEqual(total.errors, {});
  assert.equal(total.failed, 0);
  const drained = first.log().find(({ event }) => event === 'slot.drained');
  assert.equal(drained?.['outcome'], 'idle');
});

test('a readiness probe that fails takes the instance out, and one that succeeds again brings it back', async () => {
  await using instance = await startInstance(haproxy, {
    BERTH_READY: '/healthz',
    BERTH_READY_INTERVAL: '100ms',
  });
  await untilSlot(haproxy, instance.port, 'ready');
  await setHealth(instance.port, 503);
  await untilSlot(haproxy, instance.port, 'drain');
  assert.equal(instance.log().filter(({ event }) => event === 'app.unready').length, 1);
  await setHealth(instance.port, 200);
  await untilSlot(haproxy, instance.port, 'ready');
});

test('an HTTP probe sends the header and the Host that it is given, and counts the given statuses', async () => {
  const app = `
    require('node:http').createServer((request, response) => {
      console.log('probe ' + request.url + ' ' + request.headers['x-probe'] + ' ' + request.headers.host);
      response.writeHead(418).end();
    }).listen(Number(process.env.PORT), '127.0.0.1');
  `;
  const probe = {
    BERTH_READY: '/ready?x=1',
    BERTH_READY_HEADER: 'X-Probe: berth',
    BERTH_READY_HOST: 'app.example',
    BERTH_READY_STATUS: '200,418',
  };
  await using instance = await startInstance(haproxy, probe, [process.execPath, '-e', app]);
  await untilSlot(haproxy, instance.port, 'ready');
  await instance.waitForLine(/^probe \/ready\?x=1 berth app\.example$/);
});

test('a liveness probe that fails ends the app, and the exit code is no success', async () => {
  await using instance = await startInstance(haproxy, {
    BERTH_LIVE: '/healthz',
    BERTH_LIVE_INTERVAL: '100ms',
    BERTH_STARTUP: 'tcp',
  });
  await untilSlot(haproxy, instance.port, 'ready');
  await setHealth(instance.port, 500);
  // The app itself ends with 0 on SIGTERM.
  assert.equal((await instance.exited).code, 70);
  assert.match(instance.output(), /app: SIGTERM/);
  assert.match((await instance.event('app.given-up')).msg, /the liveness probe failed: status 500/);
  assert.ok(!(await heldSlots(haproxy)).has(instance.port));
});

test('a liveness probe does not end an app that boots for longer than it is patient', async () => {
  await using instance = await startInstance(haproxy, {
    BOOT_MS: '1500',
    BERTH_LIVE: '/healthz',
    BERTH_LIVE_INTERVAL: '100ms',
    BERTH_LIVE_FAILURES: '2',
  });
  await untilSlot(haproxy, instance.port, 'ready');
  assert.ok(!instance.log().some(({ event }) => event === 'app.given-up'));
});

test('a startup probe that never succeeds ends the app; the readiness probe waits for it', async () => {
  const startup = { BERTH_STARTUP: '/never', BERTH_STARTUP_INTERVAL: '100ms', BERTH_STARTUP_FAILURES: '10' };
  await using instance = await startInstance(haproxy, startup);
  assert.equal((await instance.exited).code, 70);
  assert.ok(!instance.log().some(({ event }) => event === 'slot.claimed'));
  assert.match((await instance.event('app.given-up')).msg, /the startup probe failed: status 404/);
});

test('a startup probe that succeeds lets the others begin', async () => {
  const startup = { BERTH_STARTUP: '/healthz', BOOT_MS: '500', BERTH_LIVE: 'tcp' };
  await using instance = await startInstance(haproxy, startup);
  await untilSlot(haproxy, instance.port, 'ready');
});

test('the pre-stop hook runs after the drain and before the signal', async () => {
  await using instance = await startInstance(haproxy, { BERTH_PRE_STOP: 'echo hook ran; sleep 0.2' });
  await untilSlot(haproxy, instance.port, 'ready');
  instance.signal('SIGTERM');
  await instance.exited;
  const events = instance.log().map(({ event }) => event);
  const order = ['slot.drained', 'hook.ended', 'app.stopping'];
  assert.deepEqual(
    events.filter((event) => order.includes(event)),
    order,
  );
  assert.match(instance.output(), /hook ran/);
  assert.doesNotMatch(instance.stdout(), /hook ran/);
});

test('a hook that hangs is cut off in time, and a hook given as a list needs no shell', async () => {
  const times = { BERTH_DRAIN_TIMEOUT: '200ms', BERTH_STOP_TIMEOUT: '1s' };
  await using instance = await startInstance(haproxy, { ...times, BERTH_PRE_STOP: '["sleep", "30"]' });
  await untilSlot(haproxy, instance.port, 'ready');
  instance.signal('SIGTERM');
  assert.equal((await instance.exited).code, 0);
  assert.equal((await instance.event('hook.ended'))['kind'], 'cut-off');
});

test('a second signal skips the drain', async () => {
  await using instance = await startInstance(haproxy, { BERTH_DRAIN_TIMEOUT: '30s' });
  await untilSlot(haproxy, instance.port, 'ready');
  const slow = fetch(`${haproxy.url()}/slow?ms=3000`).catch(() => undefined);
  await until(
    async () => {
      const stats: { inFlight: number } = await (
        await fetch(`http://127.0.0.1:${instance.port}/stats`)
      ).json();
      return stats.inFlight > 1;
    },
    { what: 'a long request is on its way' },
  );
  instance.signal('SIGTERM');
  await instance.event('slot.draining');
  assert.ok(!instance.log().some(({ event }) => event === 'app.stopping'));
  instance.signal('SIGTERM');
  await instance.event('app.stopping', 1000);
  assert.equal((await instance.event('slot.drained'))['outcome'], 'skipped');
  await instance.exited;
  await slow;
});

test('the health command says what the agent says', async () => {
  await using instance = await startInstance(haproxy, {
    BERTH_READY: '/healthz',
    BERTH_READY_INTERVAL: '100ms',
  });
  const ask = async () => {
    const health = await startProcess(process.execPath, [await agentBundle(), 'health'], {
      env: { ...leastEnvironment, BERTH_APP_PORT: String(instance.port) },
    });
    return { code: (await health.exited).code, text: health.output() };
  };
  await untilSlot(haproxy, instance.port, 'ready');
  const good = await ask();
  assert.equal(good.code, 0);
  assert.match(good.text, /^ready; .*: app\/node\d ready\n$/);
  await setHealth(instance.port, 503);
  await untilSlot(haproxy, instance.port, 'drain');
  assert.equal((await ask()).code, 1);
  await instance.killAll();
  const dead = await ask();
  assert.equal(dead.code, 1);
  assert.match(dead.text, /no agent answers/);
});

test('HAProxy may be away when the app starts, and when it ends', async () => {
  await using late = await startLoadBalancer();
  await late.stop();
  // Until HAProxy has told the address, the machine's own is probed.
  await using instance = await startInstance(late, { HOST: '0.0.0.0' });
  await instance.event('app.ready');
  await instance.event('registration.failed');
  await late.start();
  await untilSlot(late, instance.port, 'ready');
  await late.kill();
  instance.signal('SIGTERM');
  assert.equal((await instance.exited).code, 0);
});

test('a slot in each of several HAProxys; one that is away holds up nothing', async () => {
  await using other = await startLoadBalancer();
  const servers = [haproxy, other].map(({ address, cliPort }) => `${address}:${cliPort}`);
  await using instance = await startInstance(haproxy, {
    HAPROXY_SERVER: [...servers, '127.0.0.1:1'].join(','),
  });
  await untilSlot(haproxy, instance.port, 'ready');
  await untilSlot(other, instance.port, 'ready');
  await other.kill();
  await other.start();
  await untilSlot(other, instance.port, 'ready');
  instance.signal('SIGTERM');
  assert.equal((await instance.exited).code, 0);
  for (const each of [haproxy, other]) assert.ok(!(await heldSlots(each)).has(instance.port));
});

test('agents of one machine do not disturb one another', async () => {
  const instances = await Promise.all(Array.from({ length: 3 }, () => startInstance(haproxy)));
  for (const { port } of instances) await untilSlot(haproxy, port, 'ready');
  const names = new Set([...(await heldSlots(haproxy)).values()].map(({ name }) => name));
  assert.equal(names.size, (await heldSlots(haproxy)).size);
  for (const instance of instances) instance.signal('SIGTERM');
  await Promise.all(instances.map(({ exited }) => exited));
  for (const { port } of instances) assert.ok(!(await heldSlots(haproxy)).has(port));
});

test('--help names every section of the reference', async () => {
  const help = await runProcess(process.execPath, [await agentBundle(), '--help']);
  assert.match(help, /HAPROXY_SERVER[\s\S]*BERTH_READY[\s\S]*BERTH_LOG_LEVEL/);
});

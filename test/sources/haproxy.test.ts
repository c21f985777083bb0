import assert from 'node:assert/strict';
import { get } from 'node:http';
import test from 'node:test';
import type { NamedRuntimeApi } from '../../coordinator/sources/haproxy-loads.ts';
import type { Clock } from '../../shared/clock.ts';
import { parseEndpoints } from '../../shared/haproxy/endpoint.ts';
import { createRuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { type Haproxy, haproxyVersions, startHaproxy } from '../bench/haproxy.ts';
import { until } from '../bench/wait.ts';
import { startGarbage, startSilent } from './faulty-server.ts';
import { type HoldingServer, startHolding } from './holding-server.ts';
import { failureOf, testSource, totalOf } from './read-source.ts';

/** Time passes when the test says so: rates are exact. */
class FakeClock implements Clock {
  ms = 0;
  monotonic = () => this.ms;
  wall = () => this.ms;
  sleep = async () => undefined;
}

const serverLine = (app: HoldingServer, maxconn: number) =>
  `server s1 127.0.0.1:${app.port} maxconn ${maxconn}`;

function start(app: HoldingServer, options: Parameters<typeof startHaproxy>[0] = {}, maxconn = 100) {
  const backends = [{ name: 'app', slots: 2, lines: [serverLine(app, maxconn)] }];
  return startHaproxy({ config: { backends, timeouts: { queue: '30s' } }, ...options });
}

function apiOf(port: number): NamedRuntimeApi {
  const [endpoint] = parseEndpoints(`127.0.0.1:${port}`, 9999);
  assert.ok(endpoint);
  return { name: endpoint.name, api: createRuntimeApi(endpoint) };
}

const sourceOf = (what: string, clock: Clock, haproxys: readonly NamedRuntimeApi[], rest: object = {}) =>
  testSource({ type: 'haproxy', what, ...rest }, { clock, haproxys: () => haproxys });

/** So many requests at once, each on a connection of its own. */
async function send(proxy: Haproxy, count: number): Promise<void> {
  const one = () =>
    new Promise<void>((resolve, reject) => {
      get(proxy.url(), { agent: false }, (response) => response.resume().on('end', resolve)).on(
        'error',
        reject,
      );
    });
  await Promise.all(Array.from({ length: count }, one));
}

for (const version of haproxyVersions) {
  test(`HAProxy ${version}: when servers are at maxconn, sessions go on growing with the queue`, async () => {
    await using app = await startHolding();
    await using proxy = await start(app, { version }, 2);
    const clock = new FakeClock();
    const haproxys = [apiOf(proxy.cliPort)];
    const sessions = sourceOf('sessions', clock, haproxys);
    const queue = sourceOf('queue', clock, haproxys);
    const look = async () => {
      clock.ms += 1;
      return [totalOf(await sessions.read()).value, totalOf(await queue.read()).value];
    };
    assert.deepEqual(await look(), [0, 0]);
    app.hold(true);
    const sent = send(proxy, 7);
    await until(async () => String(await look()) === '7,5', {
      what: '2 sessions at the server and 5 in the queue',
    });
    await until(() => app.held() === 2, { what: 'the server has no more than its maxconn' });
    app.hold(false);
    app.release();
    await sent;
    await until(async () => String(await look()) === '0,0', { what: 'no sessions and no queue' });
  });
}

test('the request rate is exact; a reload resets the counters, and the rate from before is kept for one look', async () => {
  await using app = await startHolding();
  await using proxy = await start(app, { masterWorker: true });
  const clock = new FakeClock();
  const rate = sourceOf('requestRate', clock, [apiOf(proxy.cliPort)]);
  assert.equal(failureOf(await rate.read()).code, 'unknown');
  await send(proxy, 30);
  clock.ms = 10_000;
  assert.deepEqual(await rate.read(), { ok: true, shape: 'total', value: 3, ageMs: 0 });
  await proxy.reload();
  clock.ms = 11_000;
  assert.equal(totalOf(await rate.read()).value, 3, 'not negative, and not 0');
  await send(proxy, 20);
  clock.ms = 13_000;
  assert.equal(totalOf(await rate.read()).value, 10);
});

test('a restart resets the counters too, also when they have grown past the old ones by the next look', async () => {
  await using app = await startHolding();
  await using proxy = await start(app);
  const clock = new FakeClock();
  const rate = sourceOf('requestRate', clock, [apiOf(proxy.cliPort)]);
  await rate.read();
  await send(proxy, 10);
  clock.ms = 10_000;
  assert.equal(totalOf(await rate.read()).value, 1);
  await proxy.restart();
  await send(proxy, 50);
  clock.ms = 20_000;
  assert.equal(totalOf(await rate.read()).value, 1, 'not (50 - 10) / 10');
});

test('the response time means something only with enough requests in the window: idle, HAProxy shows the old one', async () => {
  await using app = await startHolding();
  await using proxy = await start(app);
  const clock = new FakeClock();
  const time = sourceOf('responseTime', clock, [apiOf(proxy.cliPort)]);
  await time.read();
  app.hold(true);
  const sent = send(proxy, 30);
  await until(() => app.held() === 30, { what: 'every request waits' });
  // However long that took: it is what HAProxy measures.
  await new Promise((resolve) => setTimeout(resolve, 100));
  app.release();
  await sent;
  app.hold(false);
  clock.ms = 5000;
  const busy = totalOf(await time.read()).value;
  assert.ok(busy > 0, `${busy} ms`);
  clock.ms = 15_001;
  const idle = failureOf(await time.read());
  assert.equal(idle.code, 'too-few-requests');
  assert.match(idle.message, /0 requests in the window, and 20 are needed/);
  const [header = '', ...rows] = (await proxy.cli('show stat app 2 -1')).split('\n');
  const column = header.split(',').indexOf('rtime');
  assert.ok(Number(rows[0]?.split(',')[column]) > 0, 'HAProxy still shows the old one');
  await send(proxy, 19);
  clock.ms = 20_000;
  assert.equal(failureOf(await time.read()).code, 'too-few-requests');
  await send(proxy, 1);
  clock.ms = 20_001;
  assert.ok(totalOf(await time.read()).value >= 0);
});

test('after a reload there is no response time until the new process has one', async () => {
  await using app = await startHolding();
  await using proxy = await start(app, { masterWorker: true });
  const clock = new FakeClock();
  const time = sourceOf('responseTime', clock, [apiOf(proxy.cliPort)]);
  await time.read();
  await send(proxy, 30);
  clock.ms = 1000;
  totalOf(await time.read());
  await proxy.reload();
  clock.ms = 2000;
  assert.equal(failureOf(await time.read()).code, 'too-few-requests');
});

test('the error rate is the share of 5xx answers, also of those that HAProxy gives itself', async () => {
  await using app = await startHolding();
  await using proxy = await start(app);
  const clock = new FakeClock();
  const errors = sourceOf('errorRate', clock, [apiOf(proxy.cliPort)], { window: '5s' });
  await errors.read();
  await send(proxy, 20);
  app.hold(false, 500);
  await send(proxy, 20);
  clock.ms = 5000;
  assert.equal(totalOf(await errors.read()).value, 0.5);
  await proxy.cli('set server app/s1 state maint');
  await send(proxy, 20);
  clock.ms = 10_000;
  assert.equal(totalOf(await errors.read()).value, 1);
});

test('a tcp backend: connections a second, failed connections, and no response time', async () => {
  await using app = await startHolding();
  await using proxy = await startHaproxy({
    config: {
      backends: [{ name: 'app', slots: 1, lines: ['mode tcp', serverLine(app, 100)] }],
      defaults: ['mode tcp'],
    },
  });
  const clock = new FakeClock();
  const haproxys = [apiOf(proxy.cliPort)];
  const [rate, errors, time] = ['requestRate', 'errorRate', 'responseTime'].map((what) =>
    sourceOf(what, clock, haproxys, { minRequests: 1 }),
  );
  assert.ok(rate && errors && time);
  for (const each of [rate, errors]) await each.read();
  await send(proxy, 10);
  clock.ms = 10_000;
  assert.ok(totalOf(await rate.read()).value > 0);
  assert.equal(totalOf(await errors.read()).value, 0);
  assert.match(failureOf(await time.read()).message, /in tcp mode/);
});

test('two proxies are summed; when one is away the total is partial, and names it', async () => {
  await using app = await startHolding();
  await using first = await start(app);
  await using second = await start(app);
  const clock = new FakeClock();
  const haproxys = [apiOf(first.cliPort), apiOf(second.cliPort)];
  const rate = sourceOf('requestRate', clock, haproxys);
  const sessions = sourceOf('sessions', clock, haproxys);
  await rate.read();
  await send(first, 20);
  await send(second, 10);
  clock.ms = 10_000;
  assert.deepEqual(await rate.read(), { ok: true, shape: 'total', value: 3, ageMs: 0 });
  await second.stop();
  clock.ms = 20_000;
  for (const source of [rate, sessions]) {
    const { partial } = totalOf(await source.read());
    assert.match(
      partial ?? '',
      new RegExp(`^127\\.0\\.0\\.1:${second.cliPort} is missing: .*cannot be reached`),
    );
  }
  await second.start();
  clock.ms = 30_000;
  assert.equal(totalOf(await rate.read()).partial, undefined, 'the rate from before counts for one look');
  clock.ms = 40_000;
  assert.deepEqual(await rate.read(), { ok: true, shape: 'total', value: 0, ageMs: 0 });
});

test('a new proxy has no rate at its first look: the total is partial', async () => {
  await using app = await startHolding();
  await using first = await start(app);
  await using second = await start(app);
  const clock = new FakeClock();
  const haproxys = [apiOf(first.cliPort)];
  const rate = sourceOf('requestRate', clock, haproxys);
  await rate.read();
  haproxys.push(apiOf(second.cliPort));
  clock.ms = 10_000;
  assert.match(totalOf(await rate.read()).partial ?? '', /two looks/);
  clock.ms = 20_000;
  assert.equal(totalOf(await rate.read()).partial, undefined);
});

test('a proxy that hangs, is away or speaks garbage is an error, as are a backend that is nowhere and no proxy at all', async () => {
  await using app = await startHolding();
  await using proxy = await start(app);
  await using silent = await startSilent();
  await using garbage = await startGarbage();
  const clock = new FakeClock();
  const read = async (ports: number[], config: object = {}, deadlineMs?: number) => {
    clock.ms += 1;
    return sourceOf('sessions', clock, ports.map(apiOf), config).read(deadlineMs);
  };
  assert.equal(failureOf(await read([silent.port], {}, 100)).code, 'timeout');
  assert.equal(failureOf(await read([garbage.port], {}, 200)).code, 'timeout');
  const nowhere = failureOf(await read([proxy.cliPort], { backend: 'nowhere' }));
  assert.equal(nowhere.code, 'refused');
  assert.match(nowhere.message, /^HAProxy's sessions of nowhere: no HAProxy has a backend nowhere/);
  assert.equal(failureOf(await read([])).code, 'unknown');
  const hung = totalOf(await read([proxy.cliPort, silent.port], {}, 200));
  assert.match(hung.partial ?? '', /no answer within|0 of 2 replies/);
  await proxy.stop();
  assert.equal(failureOf(await read([proxy.cliPort])).code, 'unreachable');
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { sourceSchema } from '../../coordinator/policy/source-schema.ts';
import { sourceKey } from '../../coordinator/sources/create-source.ts';
import { PushedMetrics } from '../../coordinator/sources/pushed-metrics.ts';
import { SourceReader, type SourceRequest } from '../../coordinator/sources/reader.ts';
import type { SourceDependencies } from '../../coordinator/sources/source.ts';
import { type Clock, systemClock } from '../../shared/clock.ts';
import { until } from '../bench/wait.ts';
import { startSilent } from './faulty-server.ts';
import { startJsonServer } from './json-server.ts';
import { failureOf, totalOf, webTarget } from './read-source.ts';

function startReader(own: Partial<SourceDependencies> = {}, clock: Clock = systemClock) {
  const reader = new SourceReader(
    {
      haproxys: () => [],
      agents: () => [],
      instances: () => [],
      containers: { containerStats: async () => undefined },
      pushed: new PushedMetrics(clock),
      ...own,
    },
    clock,
  );
  return Object.assign(reader, { [Symbol.asyncDispose]: () => reader.close() });
}

const request = (name: string, config: object, target = webTarget): SourceRequest => ({
  name,
  source: sourceSchema.parse(config),
  target,
});
const options = (intervalMs = 60_000) => ({ intervalMs, signal: new AbortController().signal });
const http = (url: string, rest: object = {}) => ({ type: 'http', url, ...rest });

test('all sources of a tick are read at once, each into a value or an error of its own', async () => {
  await using server = await startJsonServer();
  await using reader = startReader();
  server.answer(({ path }) => (path === '/good' ? { body: 3 } : { status: 500 }));
  const readings = await reader.readAll(
    [request('good', http(`${server.url}/good`)), request('bad', http(`${server.url}/bad`))],
    options(),
  );
  assert.equal(totalOf(readings['good'] ?? assert.fail()).value, 3);
  assert.equal(failureOf(readings['bad'] ?? assert.fail()).code, 'refused');
});

test('identical queries of a tick are one request, also across policies; others are not', async () => {
  await using server = await startJsonServer();
  await using reader = startReader();
  server.answer({ body: 3 });
  const same = { type: 'prometheus', url: server.url, query: 'sum(up)' };
  const reordered = { query: 'sum(up)', url: server.url, type: 'prometheus' };
  const tick = (...requests: SourceRequest[]) => reader.readAll(requests, options());
  const other = { service: 'other', backend: 'other' };
  await Promise.all([
    tick(request('a', same), request('b', reordered)),
    tick(request('a', same, other)),
    tick(request('c', { ...same, query: 'sum(down)' })),
  ]);
  assert.equal(server.asked.length, 2);
});

test('what reads the same for everybody shares a key; what belongs to a service does not', () => {
  const key = (config: object, service: string) =>
    sourceKey(sourceSchema.parse(config), { service, backend: service });
  const isShared = (config: object) => key(config, 'a') === key(config, 'b');
  assert.ok(isShared({ type: 'pushed', metric: 'jobs' }));
  assert.ok(isShared({ type: 'prometheus', url: 'http://p', query: 'x' }));
  assert.ok(!isShared({ type: 'prometheus', url: 'http://p', query: 'x', instanceLabel: 'id' }));
  assert.ok(!isShared({ type: 'haproxy', what: 'queue' }));
  assert.ok(!isShared({ type: 'docker', what: 'cpu' }));
  assert.ok(!isShared({ type: 'agent', metric: 'jobs' }));
});

test('a shared answer is given with its age, and is read anew when it is no longer fresh', async () => {
  let ms = 0;
  const clock: Clock = { monotonic: () => ms, wall: () => ms, sleep: async () => undefined };
  await using server = await startJsonServer();
  await using reader = startReader({}, clock);
  server.answer(() => ({ body: server.asked.length }));
  const read = async () => {
    const readings = await reader.readAll([request('a', http(server.url))], options(4000));
    return totalOf(readings['a'] ?? assert.fail());
  };
  assert.deepEqual(await read(), { ok: true, shape: 'total', value: 1, ageMs: 0 });
  ms = 900;
  assert.deepEqual(await read(), { ok: true, shape: 'total', value: 1, ageMs: 900 });
  ms = 1100;
  assert.deepEqual(await read(), { ok: true, shape: 'total', value: 2, ageMs: 0 });
});

test('a source that hangs ends at its own deadline and delays no other policy', async () => {
  await using silent = await startSilent();
  await using server = await startJsonServer();
  await using reader = startReader();
  server.answer({ body: 3 });
  const hangs = http(`http://127.0.0.1:${silent.port}`, { timeout: '10s' });
  let isHungDone = false;
  const hung = reader.readAll([request('hangs', hangs)], options()).finally(() => {
    isHungDone = true;
  });
  await until(() => silent.open() > 0, { what: 'the hung source is being read' });
  for (let tick = 0; tick < 5; tick += 1) {
    const { fine } = await reader.readAll([request('fine', http(`${server.url}/${tick}`))], options());
    assert.equal(totalOf(fine ?? assert.fail()).value, 3);
  }
  assert.ok(!isHungDone, 'the hung source is still waited for');
  const ended = assert.rejects(hung, /the coordinator stops/);
  await reader.close();
  await ended;
  const quick = startReader();
  const { late } = await quick.readAll([request('late', { ...hangs, timeout: '50ms' })], options());
  assert.equal(failureOf(late ?? assert.fail()).code, 'timeout');
  assert.match(failureOf(late ?? assert.fail()).message, /^http http:.*no answer within 50 ms/);
  await quick.close();
});

test('without a timeout of its own a source gets half of the interval', async () => {
  await using silent = await startSilent();
  await using reader = startReader();
  const { hangs } = await reader.readAll(
    [request('hangs', http(`http://127.0.0.1:${silent.port}`))],
    options(300),
  );
  assert.match(failureOf(hangs ?? assert.fail()).message, /no answer within 150 ms/);
});

test('a source that listens to no signal is left behind at the deadline', async () => {
  await using reader = startReader({
    instances: () => [{ id: 'a', names: [], container: 'a' }],
    containers: { containerStats: () => new Promise(() => undefined) },
  });
  const docker = { type: 'docker', what: 'memory', timeout: '50ms' };
  const { memory } = await reader.readAll([request('memory', docker)], options());
  assert.equal(failureOf(memory ?? assert.fail()).code, 'timeout');
});

test('of several proxies or containers, one that hangs leaves what the others said', async () => {
  const never = () => new Promise<never>(() => undefined);
  const info = 'Version: 3.0\nPid: 1\nStart_time_sec: 1\nUptime_sec: 1\nStopping: 0';
  const columns =
    'pxname,svname,qcur,scur,stot,econ,eresp,type,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,req_tot,rtime,mode,status';
  const stat = `# ${columns}\napp,s1,0,4,9,0,0,2,9,0,0,0,9,1,http\napp,BACKEND,0,4,9,0,0,1,9,0,0,0,9,1,http`;
  const replies = [info, stat].map((text) => ({ severity: undefined, text }));
  await using reader = startReader({
    haproxys: () => [
      { name: 'lb1', api: { transact: async () => ({ replies, localAddress: undefined }) } },
      { name: 'lb2', api: { transact: never } },
    ],
    instances: () =>
      ['a', ...Array.from({ length: 40 }, (_, index) => `b${index}`)].map((id) => ({
        id,
        names: [],
        container: id,
      })),
    containers: {
      containerStats: (id) =>
        id === 'a' ? Promise.resolve({ at: 1, cpuNanoseconds: 1, memoryBytes: 7 }) : never(),
    },
  });
  const { sessions, memory } = await reader.readAll(
    [
      request('sessions', { type: 'haproxy', what: 'sessions' }),
      request('memory', { type: 'docker', what: 'memory' }),
    ],
    options(1000),
  );
  const total = totalOf(sessions ?? assert.fail());
  assert.equal(total.value, 4);
  assert.match(total.partial ?? '', /^lb2 is missing: no answer within/);
  assert.ok(memory?.ok && memory.shape === 'perInstance');
  assert.deepEqual(Object.keys(memory.samples), ['a']);
  assert.match(memory.partial ?? '', /^40 of 41 containers are missing: no answer within \d+ ms$/);
});

test('CPU and memory of a container are one question to Docker', async () => {
  let asked = 0;
  await using reader = startReader({
    instances: () => [{ id: 'a', names: [], container: 'a' }],
    containers: {
      containerStats: async () => {
        asked += 1;
        return { at: asked * 1000, cpuNanoseconds: asked * 5e8, memoryBytes: 7 };
      },
    },
  });
  const both = [
    request('cpu', { type: 'docker', what: 'cpu' }),
    request('memory', { type: 'docker', what: 'memory' }),
  ];
  const first = await reader.readAll(both, options());
  assert.equal(failureOf(first['cpu'] ?? assert.fail()).code, 'unknown');
  assert.ok(first['memory']?.ok);
  assert.equal(asked, 1);
});

test('one peer gets a bounded number of requests at a time, and nobody is lost', async () => {
  await using server = await startJsonServer();
  await using reader = startReader();
  let open = 0;
  let most = 0;
  server.answer(async () => {
    open += 1;
    most = Math.max(most, open);
    await new Promise((resolve) => setTimeout(resolve, 5));
    open -= 1;
    return { body: 3 };
  });
  const requests = Array.from({ length: 100 }, (_, index) =>
    request(`m${index}`, http(`${server.url}/${index}`)),
  );
  const readings = await reader.readAll(requests, options());
  assert.equal(Object.values(readings).filter((reading) => reading.ok).length, 100);
  assert.ok(most <= 16, `${most} at a time`);
});

test("the signal of the policy ends its waiting and nobody else's", async () => {
  await using server = await startJsonServer();
  await using reader = startReader();
  let answerNow = () => {};
  server.answer(async () => {
    await new Promise<void>((resolve) => {
      answerNow = resolve;
    });
    return { body: 3 };
  });
  const leaves = new AbortController();
  const left = reader.readAll([request('a', http(server.url))], {
    intervalMs: 60_000,
    signal: leaves.signal,
  });
  const stays = reader.readAll([request('a', http(server.url))], options());
  await until(() => server.asked.length === 1, { what: 'the request is under way' });
  leaves.abort(new Error('this policy was removed'));
  await assert.rejects(left, /this policy was removed/);
  answerNow();
  assert.equal(totalOf((await stays)['a'] ?? assert.fail()).value, 3);
  assert.equal(server.asked.length, 1);
});

test("agents' numbers are values of instances, with the age of each; none at all is empty", async () => {
  let ms = 10_000;
  const clock: Clock = { monotonic: () => ms, wall: () => ms, sleep: async () => undefined };
  await using reader = startReader(
    {
      agents: () => [
        { id: 'agent-1', service: 'web', metrics: { jobs: { value: 4, at: 9000 } } },
        { id: 'agent-2', service: 'web', metrics: { jobs: { value: 2, at: 2000 } } },
        { id: 'agent-3', service: 'web', metrics: {} },
        { id: 'agent-4', service: 'other', metrics: { jobs: { value: 9, at: 9000 } } },
      ],
      instances: () => [{ id: 'container-1', names: ['agent-1', '10.0.0.1:80'] }],
    },
    clock,
  );
  const { jobs, none } = await reader.readAll(
    [request('jobs', { type: 'agent', metric: 'jobs' }), request('none', { type: 'agent', metric: 'none' })],
    options(1000),
  );
  assert.deepEqual(jobs, {
    ok: true,
    shape: 'perInstance',
    samples: {
      'container-1': { value: 4, ageMs: 1000, windowMs: 0 },
      'agent-2': { value: 2, ageMs: 8000, windowMs: 0 },
    },
  });
  assert.equal(failureOf(none ?? assert.fail()).code, 'empty');
  assert.match(failureOf(none ?? assert.fail()).message, /none of the 3 agents of web reports none/);
  ms = 10_200;
  const later = await reader.readAll([request('jobs', { type: 'agent', metric: 'jobs' })], options(1000));
  const reading = later['jobs'] ?? assert.fail();
  assert.ok(reading.ok && reading.shape === 'perInstance' && reading.samples['container-1']?.ageMs === 1200);
});

test('a thousand policies in one tick: every one gets its reading', async () => {
  const pushed = new PushedMetrics(systemClock);
  await using reader = startReader({ pushed });
  pushed.put(Array.from({ length: 1000 }, (_, index) => ({ name: `m${index}`, labels: {}, value: index })));
  const all = await Promise.all(
    Array.from({ length: 1000 }, (_, index) =>
      reader.readAll([request('m', { type: 'pushed', metric: `m${index}` })], options(15_000)),
    ),
  );
  assert.deepEqual(
    all.map(({ m }) => totalOf(m ?? assert.fail()).value),
    Array.from({ length: 1000 }, (_, index) => index),
  );
});

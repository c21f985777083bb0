import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { parseCoordinatorMessage } from '../../agent/coordinator-message.ts';
import { Heartbeat } from '../../agent/heartbeat.ts';
import { systemClock } from '../../shared/clock.ts';
import { coordinatorMessageSchema } from '../../shared/protocol.ts';
import type { Haproxy } from '../bench/haproxy.ts';
import { freePort, until } from '../bench/wait.ts';
import { startCoordinator } from './coordinator.ts';
import { startInstance, startLoadBalancer, untilSlot } from './fleet.ts';

let haproxy: Haproxy;
before(async () => {
  haproxy = await startLoadBalancer();
});
after(async () => {
  await haproxy[Symbol.asyncDispose]();
});

test('an agent that was frozen keeps its session: silence while it could not listen means nothing', async () => {
  await using coordinator = await startCoordinator();
  const env = { BERTH_COORDINATOR: coordinator.url, BERTH_TOKEN: 'hush', BERTH_SERVICE: 'web' };
  await using instance = await startInstance(haproxy, env);
  await coordinator.heartbeat('when it is ready', ({ phase }) => phase === 'ready');
  instance.signal('SIGSTOP');
  const stoppedAt = performance.now();
  await until(() => performance.now() - stoppedAt > 4500, {
    what: 'more than three heartbeats and three seconds have passed',
  });
  const before = coordinator.heartbeats().length;
  instance.signal('SIGCONT');
  await until(() => coordinator.heartbeats().length > before + 3, { what: 'it beats again' });
  assert.equal(coordinator.messages.filter(({ type }) => type === 'hello').length, 1, instance.output());
  assert.deepEqual(coordinator.closed, []);
});

test('hello, welcome, heartbeats with the slot, and a goodbye with the whole timeline', async () => {
  await using coordinator = await startCoordinator();
  const env = { BERTH_COORDINATOR: coordinator.url, BERTH_TOKEN: 'hush', BERTH_SERVICE: 'web' };
  await using instance = await startInstance(haproxy, env);
  const beat = await coordinator.heartbeat(
    'with a ready slot',
    ({ phase, registrations }) => phase === 'ready' && registrations[0]?.state === 'ready',
  );
  const [hello] = coordinator.messages;
  assert.ok(hello?.type === 'hello');
  assert.deepEqual([hello.v, hello.service, hello.nodeCount, hello.slotPrefix], [1, 'web', 5, 'node']);
  assert.match(hello.agentVersion ?? '', /^\d+\.\d+\.\d+$/);
  assert.match(beat.registrations[0]?.slot ?? '', /^node\d$/);
  assert.deepEqual(
    [beat.registrations[0]?.address, beat.registrations[0]?.port],
    ['127.0.0.1', instance.port],
  );
  instance.signal('SIGTERM');
  assert.equal((await instance.exited).code, 0);
  const goodbye = await until(() => coordinator.messages.find(({ type }) => type === 'goodbye'), {
    what: 'a goodbye',
  });
  assert.deepEqual(goodbye, { type: 'goodbye', reason: 'the app ended: exit code 0' });
  assert.equal(coordinator.messages.at(-1), goodbye);
  const timeline = coordinator
    .heartbeats()
    .flatMap(({ events }) => events ?? [])
    .map(({ event }) => event);
  const told = [
    'app.ready',
    'slot.claimed',
    'slot.ready',
    'slot.draining',
    'slot.drained',
    'app.stopping',
    'app.exited',
    'slot.released',
  ];
  assert.deepEqual(timeline, told);
  const sequence = coordinator.heartbeats().map(({ seq }) => seq);
  assert.deepEqual(
    sequence,
    sequence.toSorted((a, b) => a - b),
  );
  await until(() => coordinator.closed.length > 0, { what: 'the session is closed' });
  assert.deepEqual(coordinator.closed, [1000]);
  assert.deepEqual(coordinator.authorization, ['Bearer hush']);
  assert.deepEqual(coordinator.extensions, [undefined], 'no compression');
});

test('a coordinator may tell it to leave traffic, and to come back', async () => {
  await using coordinator = await startCoordinator();
  await using instance = await startInstance(haproxy, { BERTH_COORDINATOR: coordinator.url });
  await untilSlot(haproxy, instance.port, 'ready');
  coordinator.say({ type: 'drain', drain: true, reason: 'scale-down' });
  await untilSlot(haproxy, instance.port, 'drain');
  await coordinator.heartbeat('that says so', ({ phase }) => phase === 'draining');
  coordinator.say({ type: 'drain', drain: false, reason: '' });
  await untilSlot(haproxy, instance.port, 'ready');
  assert.equal(instance.exit(), undefined);
});

test('an agent without a coordinator, or with one that is away, does its work alone', async () => {
  const port = await freePort();
  await using instance = await startInstance(haproxy, { BERTH_COORDINATOR: `ws://127.0.0.1:${port}/agent` });
  await untilSlot(haproxy, instance.port, 'ready');
  await instance.event('session.failed');
  await using coordinator = await startCoordinator({ port });
  await coordinator.heartbeat('once it is there', ({ phase }) => phase === 'ready');
  await coordinator.stop();
  await instance.event('session.closed');
  assert.equal((await fetch(haproxy.url())).status, 200);
});

test('a password in the address of a coordinator gets the agent in, and is not in its log nor with the app', async () => {
  await using coordinator = await startCoordinator();
  const away = coordinator.url.replace(/:\d+/, ':1');
  const urls = [away, coordinator.url].map((url) => url.replace('ws://', 'ws://me:hush@'));
  const env = { BERTH_COORDINATOR: urls.join(), BERTH_LOG_LEVEL: 'debug' };
  await using instance = await startInstance(haproxy, env);
  const opened = await instance.event('session.opened');
  assert.equal(opened['url'], coordinator.url);
  assert.deepEqual(coordinator.authorization, [`Basic ${Buffer.from('me:hush').toString('base64')}`]);
  await instance.waitForLine(/listening/);
  const given = await (await fetch(`http://127.0.0.1:${instance.port}/env`)).text();
  assert.ok(given.includes('BERTH_APP_PORT'));
  for (const text of [given, instance.output()]) assert.doesNotMatch(text, /hush/);
});

test('with several coordinators it finds one that answers, and another one when that goes', async () => {
  await using first = await startCoordinator();
  await using second = await startCoordinator();
  const dead = await freePort();
  const urls = [`ws://127.0.0.1:${dead}/agent`, first.url, second.url];
  await using instance = await startInstance(haproxy, { BERTH_COORDINATOR: urls.join(',') });
  await first.heartbeat('at the first', ({ phase }) => phase === 'ready');
  assert.equal(second.messages.length, 0);
  await first.stop();
  await second.heartbeat('at the second', ({ phase }) => phase === 'ready');
  assert.equal(instance.exit(), undefined);
});

test('a coordinator that falls silent is left', async () => {
  await using coordinator = await startCoordinator({ heartbeatMs: 100 });
  await using instance = await startInstance(haproxy, { BERTH_COORDINATOR: coordinator.url });
  await coordinator.heartbeat('first', () => true);
  // SIGSTOP of a coordinator: the connection stands, and nothing comes back.
  coordinator.silence();
  const { msg } = await instance.event('session.closed');
  assert.match(msg, /nothing heard of the coordinator/);
  assert.equal(instance.exit(), undefined);
});

const wrongAnswers: [string, string | Buffer, RegExp][] = [
  ['garbage', '<html>', /not of this protocol/],
  ['a binary message', Buffer.from([0, 1, 2]), /not of this protocol/],
  ['an absurd pace', '{"type":"welcome","v":1,"coordinator":"x","heartbeatMs":0}', /not of this protocol/],
  ['more than the largest message', 'x'.repeat(70_000), /Max payload size exceeded/],
];
for (const [what, answer, expected] of wrongAnswers) {
  test(`${what} from a coordinator ends the session and nothing else`, async () => {
    await using coordinator = await startCoordinator({ answer: (socket) => socket.send(answer) });
    await using instance = await startInstance(haproxy, { BERTH_COORDINATOR: coordinator.url });
    await untilSlot(haproxy, instance.port, 'ready');
    assert.match((await instance.event('session.failed')).msg, expected);
    assert.equal(instance.exit(), undefined);
  });
}

test('a refusal is told with its mend, once', async () => {
  await using coordinator = await startCoordinator({ answer: (socket) => socket.close(4401, 'wrong token') });
  await using instance = await startInstance(haproxy, {
    BERTH_COORDINATOR: coordinator.url,
    BERTH_TOKEN: 'x',
  });
  const { msg } = await instance.event('session.failed');
  assert.match(msg, /refused by the coordinator, which has another BERTH_TOKEN: wrong token/);
  await until(() => coordinator.messages.length >= 3, { what: 'it tries again' });
  assert.equal(instance.log().filter(({ event }) => event === 'session.failed').length, 1);
});

test('a message of a newer coordinator is ignored', async () => {
  await using coordinator = await startCoordinator();
  await using instance = await startInstance(haproxy, { BERTH_COORDINATOR: coordinator.url });
  await coordinator.heartbeat('first', () => true);
  coordinator.say({ type: 'something-new', v: 7 });
  coordinator.say({ type: 'drain', drain: true, reason: 'after it', more: 1 });
  await coordinator.heartbeat('after it', ({ phase }) => phase === 'draining' || phase === 'starting');
  assert.equal(instance.log().filter(({ event }) => event === 'session.closed').length, 0);
});

test('what a coordinator told lapses some time after it has gone', async (t) => {
  const told: (string | undefined)[] = [];
  const quiet = () => undefined;
  const ending = new AbortController();
  t.after(() => ending.abort());
  await using coordinator = await startCoordinator();
  const heartbeat = new Heartbeat(
    {
      urls: [coordinator.url],
      token: undefined,
      hello: { type: 'hello', v: 1, agent: 'a' },
      toldHoldsMs: 300,
    },
    {
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      clock: systemClock,
      compose: () => ({ phase: 'ready', registrations: [] }),
      onAttended: quiet,
      onTold: (reason) => told.push(reason),
    },
  );
  const running = heartbeat.run(ending.signal);
  await coordinator.heartbeat('first', () => true);
  coordinator.say({ type: 'drain', drain: true, reason: 'rollout' });
  await until(() => told.length === 1, { what: 'it was told' });
  await coordinator.stop();
  await until(() => told.length === 2, { what: 'that lapses' });
  assert.deepEqual(told, ['rollout', undefined]);
  ending.abort();
  await running;
});

test('two sessions that end one after the other leave nothing that later cancels a newer word', async (t) => {
  const told: (string | undefined)[] = [];
  const lapses: AbortSignal[] = [];
  const quiet = () => undefined;
  const ending = new AbortController();
  t.after(() => ending.abort());
  await using coordinator = await startCoordinator();
  const toldHoldsMs = 54_321;
  const heartbeat = new Heartbeat(
    { urls: [coordinator.url], token: undefined, hello: { type: 'hello', v: 1, agent: 'a' }, toldHoldsMs },
    {
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      clock: {
        ...systemClock,
        sleep: (ms, signal) => {
          if (ms === toldHoldsMs && signal !== undefined) lapses.push(signal);
          return systemClock.sleep(ms, signal);
        },
      },
      compose: () => ({ phase: 'ready', registrations: [] }),
      onAttended: quiet,
      onTold: (reason) => told.push(reason),
    },
  );
  const running = heartbeat.run(ending.signal);
  const hellos = () => coordinator.messages.filter(({ type }) => type === 'hello').length;
  for (let session = 1; session <= 2; session += 1) {
    await until(() => hellos() === session && coordinator.messages.at(-1)?.type === 'heartbeat', {
      what: `session ${session}`,
    });
    coordinator.hangUp();
    await until(() => lapses.length === session, { what: 'what was told begins to lapse' });
  }
  assert.deepEqual(
    lapses.map(({ aborted }) => aborted),
    [true, false],
  );
  await until(() => hellos() === 3, { what: 'the third session' });
  coordinator.say({ type: 'drain', drain: true, reason: 'rollout' });
  await until(() => told.length === 1, { what: 'it was told' });
  assert.ok(lapses.every(({ aborted }) => aborted));
  ending.abort();
  await running;
});

test('a probe that finds what it found before is no news', async () => {
  await using coordinator = await startCoordinator({ heartbeatMs: 20_000 });
  await using instance = await startInstance(haproxy, {
    BERTH_COORDINATOR: coordinator.url,
    BERTH_READY: '/healthz',
    BERTH_READY_INTERVAL: '50ms',
  });
  await coordinator.heartbeat(
    'with a ready slot',
    ({ registrations }) => registrations[0]?.state === 'ready',
  );
  const begun = async () =>
    Number((await (await fetch(`http://127.0.0.1:${instance.port}/stats`)).json()).begun);
  const [before, beats] = [await begun(), coordinator.heartbeats().length];
  let asked = 0;
  await until(
    async () => {
      asked += 1;
      return (await begun()) - before - asked >= 20;
    },
    { what: 'twenty probes more' },
  );
  // What the claim itself still had to tell may come late.
  const more = coordinator.heartbeats().length - beats;
  assert.ok(more <= 3, `${more} heartbeats for twenty probes`);
});

test("the app's own numbers and the container's travel in the heartbeat", async () => {
  await using coordinator = await startCoordinator();
  const folder = mkdtempSync(join(tmpdir(), 'berth-metrics-'));
  const file = join(folder, 'jobs');
  writeFileSync(file, '7\n');
  const metrics = `begun=/stats#begun, jobs=file:${file}, gone=file:${folder}/nothing, text=/healthz`;
  const env = {
    BERTH_COORDINATOR: coordinator.url,
    BERTH_APP_METRICS: metrics,
    BERTH_APP_METRICS_INTERVAL: '100ms',
  };
  await using instance = await startInstance(haproxy, env);
  const beat = await coordinator.heartbeat('with all numbers', ({ metrics = {} }) =>
    ['begun', 'jobs', 'text'].every((name) => metrics[name] !== undefined),
  );
  assert.ok((beat.metrics?.['begun']?.value ?? 0) > 0);
  assert.equal(beat.metrics?.['jobs']?.value, 7);
  assert.equal(beat.metrics?.['text']?.value, 200);
  assert.equal(beat.metrics?.['gone'], undefined, 'a number that cannot be read is not sent');
  const [failed, ...others] = instance.log().filter(({ event }) => event === 'metric.failed');
  assert.match(failed?.msg ?? '', /^gone cannot be read: ENOENT/);
  assert.deepEqual(others, []);
  // A read that fails later leaves the last number, whose age grows.
  rmSync(folder, { recursive: true });
  const stale = await coordinator.heartbeat(
    'with an old number',
    (each) => (each.metrics?.['jobs']?.ageMs ?? 0) > 500,
  );
  assert.equal(stale.metrics?.['jobs']?.value, 7);
});

test("the agent's reading of messages agrees with the schema", () => {
  const field = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.integer({ min: 99, max: 60_001 }),
  );
  const message = fc.record(
    {
      type: fc.oneof(fc.constantFrom('welcome', 'drain'), fc.string()),
      v: field,
      coordinator: fc.oneof(field, fc.string({ minLength: 250, maxLength: 256 })),
      heartbeatMs: field,
      drain: field,
      reason: field,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(message, fc.jsonValue()), (value) => {
      const parsed = coordinatorMessageSchema.safeParse(JSON.parse(JSON.stringify(value) ?? 'null'));
      const own = parseCoordinatorMessage(JSON.stringify(value) ?? 'null');
      if (parsed.success) assert.deepEqual(own, parsed.data);
      else assert.ok(own === undefined || own === 'unknown');
    }),
    { numRuns: 5000 },
  );
});

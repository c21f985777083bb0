import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeName, parseAttributes } from '../../coordinator/sources/activemq-source.ts';
import type { Clock } from '../../shared/clock.ts';
import { type Activemq, startActivemq } from '../bench/activemq.ts';
import { until } from '../bench/wait.ts';
import { startGarbage, startSilent } from './faulty-server.ts';
import { startJsonServer } from './json-server.ts';
import { failureOf, testSource, totalOf } from './read-source.ts';
import { type SecretFile, secretFile } from './secret-file.ts';
import { openStomp } from './stomp.ts';

let activemq: Activemq;
let secret: SecretFile;
test.before(async () => {
  activemq = await startActivemq();
  secret = await secretFile(activemq.password);
});
test.after(() => Promise.all([activemq?.stop(), secret?.[Symbol.asyncDispose]()]));

const sourceOf = (config: object = {}, clock?: Clock) => {
  const auth = { username: activemq.username, passwordFile: secret.path };
  return testSource(
    { type: 'activemq', url: activemq.url, queue: 'jobs', auth, ...config },
    clock && { clock },
  );
};

test('messages of a queue, and those in flight', async () => {
  await activemq.send('jobs', 'a', 'b', 'c');
  assert.equal(totalOf(await sourceOf().read()).value, 3);
  const worker = await openStomp(activemq.stompPort);
  try {
    worker.subscribe('/queue/jobs', { ack: 'client-individual', 'activemq.prefetchSize': '2' });
    const inFlight = sourceOf({ what: 'inFlight' });
    await until(async () => totalOf(await inFlight.read()).value === 2, { what: '2 messages are in flight' });
    assert.equal(totalOf(await sourceOf().read()).value, 3, 'they are messages until they are acknowledged');
  } finally {
    await worker.close();
  }
});

test('an empty queue is 0, which is a value', async () => {
  await activemq.send('idle');
  assert.deepEqual(await sourceOf({ queue: 'idle' }).read(), {
    ok: true,
    shape: 'total',
    value: 0,
    ageMs: 0,
  });
});

test('a name with the characters that ActiveMQ spells differently', async () => {
  const queue = 'team:"mail"=b';
  await activemq.send(queue, 'a');
  assert.equal(encodeName(`${queue},?*`), 'team__mail_&amp;b_&qe;&ast;');
  assert.equal(totalOf(await sourceOf({ queue }).read()).value, 1);
});

test('rates are differences of two looks, and a restart of the broker does not make them negative', async () => {
  let ms = 0;
  const clock: Clock = { monotonic: () => ms, wall: () => ms, sleep: async () => undefined };
  await activemq.send('rated', 'a');
  const rate = sourceOf({ queue: 'rated', what: 'enqueueRate' }, clock);
  assert.equal(failureOf(await rate.read()).code, 'unknown');
  await activemq.send('rated', 'b', 'c', 'd');
  ms = 2000;
  assert.deepEqual(await rate.read(), {
    ok: true,
    shape: 'total',
    value: 1.5,
    ageMs: 0,
    arrivalsPerSecond: 1.5,
    acknowledgedPerSecond: 0,
  });
  await activemq.kill();
  ms = 3000;
  assert.equal(failureOf(await rate.read()).code, 'unreachable');
  await activemq.start();
  await activemq.send('rated', 'a');
  ms = 4000;
  assert.equal(totalOf(await rate.read()).value, 1.5, 'the rate from before, for one look');
  ms = 5000;
  assert.equal(totalOf(await rate.read()).value, 0);
});

test('a queue or a broker that is not there is refused, though HTTP says 200', async () => {
  for (const config of [{ queue: 'none' }, { broker: 'none' }]) {
    const failure = failureOf(await sourceOf(config).read());
    assert.equal(failure.code, 'refused');
    assert.match(failure.message, /it answered 404: .*InstanceNotFoundException/);
  }
});

test('wrong credentials; the password is in no error', async () => {
  await using wrong = await secretFile('hunter2-wrong');
  const auth = { username: activemq.username, passwordFile: wrong.path };
  const failure = failureOf(await sourceOf({ auth }).read());
  assert.equal(failure.code, 'unauthorized');
  assert.doesNotMatch(failure.message, /hunter2/);
});

test("an access rule of Jolokia's that forbids it is told as such; other answers are bad ones", async () => {
  assert.throws(() => parseAttributes({ status: 403, error: 'Origin null is not allowed' }), /Origin null/);
  assert.throws(() => parseAttributes({ status: 200, value: { QueueSize: 'NaN' } }), /no queue/);
  assert.throws(() => parseAttributes({ status: 200 }), /no queue/);
  await using server = await startJsonServer();
  server.answer({ body: { agent: '1.7.1' } });
  assert.equal(failureOf(await sourceOf({ url: server.url }).read()).code, 'bad-answer');
});

test('ActiveMQ that hangs, is away or speaks garbage', async () => {
  await using silent = await startSilent();
  await using garbage = await startGarbage();
  const at = (port: number, deadlineMs?: number) =>
    sourceOf({ url: `http://127.0.0.1:${port}/api/jolokia` }).read(deadlineMs);
  assert.equal(failureOf(await at(silent.port, 100)).code, 'timeout');
  assert.equal(failureOf(await at(garbage.port)).code, 'bad-answer');
  const { port } = silent;
  await silent[Symbol.asyncDispose]();
  assert.equal(failureOf(await at(port)).code, 'unreachable');
});

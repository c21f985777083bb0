import assert from 'node:assert/strict';
import test from 'node:test';
import { connect } from 'amqplib';
import { parseQueue } from '../../coordinator/sources/rabbitmq-source.ts';
import { type Rabbitmq, startRabbitmq } from '../bench/rabbitmq.ts';
import { until } from '../bench/wait.ts';
import { startGarbage, startSilent } from './faulty-server.ts';
import { failureOf, testSource, totalOf } from './read-source.ts';
import { type SecretFile, secretFile } from './secret-file.ts';

let rabbitmq: Rabbitmq;
let secret: SecretFile;
const queue = 'jobs/mail box';

test.before(async () => {
  rabbitmq = await startRabbitmq();
  secret = await secretFile(rabbitmq.password);
  await rabbitmq.api('PUT', '/api/vhosts/team', {});
});
test.after(() => Promise.all([rabbitmq?.stop(), secret?.[Symbol.asyncDispose]()]));

const read = (config: object = {}, deadlineMs?: number) => {
  const auth = { username: rabbitmq.username, passwordFile: secret.path };
  return testSource({ type: 'rabbitmq', url: rabbitmq.url, vhost: 'team', queue, auth, ...config }).read(
    deadlineMs,
  );
};

test('a queue that was declared a moment ago has no numbers yet: empty and not 0', async () => {
  await rabbitmq.api('PUT', `/api/queues/team/${encodeURIComponent(queue)}`, { durable: false });
  assert.equal(failureOf(await read()).code, 'empty');
});

test('messages, those that are ready, those that are unacknowledged, and both rates', async () => {
  const connection = await connect(`${rabbitmq.amqpUrl}/team`);
  try {
    const channel = await connection.createConfirmChannel();
    const publish = async (count: number) => {
      for (let sent = 0; sent < count; sent += 1) channel.sendToQueue(queue, Buffer.from('job'));
      await channel.waitForConfirms();
    };
    await publish(5);
    await channel.prefetch(2);
    const taken: (() => void)[] = [];
    await channel.consume(queue, (message) => {
      if (message !== null) taken.push(() => channel.ack(message));
    });
    const value = async (what: string) => totalOf(await read({ what })).value;
    await until(async () => (await value('unacknowledged')) === 2, {
      what: '2 messages are unacknowledged',
      everyMs: 200,
    });
    assert.equal(await value('messages'), 5);
    assert.equal(await value('ready'), 3);
    await until(
      async () => {
        await publish(20);
        for (const acknowledge of taken.splice(0)) acknowledge();
        return (await value('publishRate')) > 0 && (await value('ackRate')) > 0;
      },
      { what: 'both rates are known', deadlineMs: 30_000, everyMs: 250 },
    );
    const reading = totalOf(await read());
    assert.ok(reading.arrivalsPerSecond !== undefined && reading.acknowledgedPerSecond !== undefined);
  } finally {
    await connection.close();
  }
});

test('rates of a queue on which nothing ever happened are empty and not 0', async () => {
  await rabbitmq.api('PUT', '/api/queues/team/idle', {});
  await until(async () => totalOf(await read({ queue: 'idle' })).value === 0, {
    what: 'the queue has its first numbers',
    everyMs: 200,
    deadlineMs: 15_000,
  });
  assert.equal(failureOf(await read({ queue: 'idle', what: 'publishRate' })).code, 'empty');
});

test('a queue or a vhost that is not there is refused', async () => {
  for (const config of [{ queue: 'none' }, { vhost: 'none' }, { vhost: '/' }]) {
    const failure = failureOf(await read(config));
    assert.equal(failure.code, 'refused');
    assert.match(failure.message, /^rabbitmq http:.* queue .*: it answered 404/);
  }
});

test('wrong credentials, and a user without the right to look', async () => {
  await using wrong = await secretFile('hunter2-wrong');
  const failure = failureOf(await read({ auth: { username: rabbitmq.username, passwordFile: wrong.path } }));
  assert.equal(failure.code, 'unauthorized');
  assert.doesNotMatch(failure.message, /hunter2/);
  await rabbitmq.api('PUT', '/api/users/nobody', { password: 'hunter2-wrong', tags: '' });
  const denied = failureOf(await read({ auth: { username: 'nobody', passwordFile: wrong.path } }));
  assert.equal(denied.code, 'unauthorized');
});

test('a queue whose node is down has old numbers: that is an error; other answers are bad ones', () => {
  const numbers = { name: 'jobs', messages: 3, messages_ready: 3, messages_unacknowledged: 0 };
  assert.throws(() => parseQueue({ ...numbers, state: 'down' }, 'messages'), /jobs is down/);
  assert.throws(() => parseQueue({ ...numbers, messages: 'NaN' }, 'messages'), /no queue of RabbitMQ/);
  assert.throws(() => parseQueue([], 'messages'), /no queue of RabbitMQ/);
});

test('RabbitMQ that hangs, is away or speaks garbage', async () => {
  await using silent = await startSilent();
  await using garbage = await startGarbage();
  const at = (port: number, deadlineMs?: number) => read({ url: `http://127.0.0.1:${port}` }, deadlineMs);
  assert.equal(failureOf(await at(silent.port, 100)).code, 'timeout');
  assert.equal(failureOf(await at(garbage.port)).code, 'bad-answer');
  await rabbitmq.kill();
  assert.equal(failureOf(await read()).code, 'unreachable');
});

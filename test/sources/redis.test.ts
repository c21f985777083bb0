import assert from 'node:assert/strict';
import test from 'node:test';
import { lagOf } from '../../coordinator/sources/redis-source.ts';
import { type Redis, startRedis } from '../bench/redis.ts';
import { until } from '../bench/wait.ts';
import { makeCertificates } from './certificates.ts';
import { startGarbage, startSilent } from './faulty-server.ts';
import { startJsonServer } from './json-server.ts';
import { failureOf, testSource, totalOf } from './read-source.ts';
import { secretFile } from './secret-file.ts';

let redis: Redis;
test.before(async () => {
  redis = await startRedis();
});
test.after(() => redis.stop());

const read = (config: object, deadlineMs?: number) =>
  testSource({ type: 'redis', url: redis.url, ...config }).read(deadlineMs);

test('the length of a list; one that is not there has length 0, since Redis removes empty lists', async () => {
  await redis.cli('rpush', 'jobs', 'a', 'b', 'c');
  assert.deepEqual(await read({ key: 'jobs' }), { ok: true, shape: 'total', value: 3, ageMs: 0 });
  await redis.cli('del', 'jobs');
  assert.equal(totalOf(await read({ key: 'jobs' })).value, 0);
});

test('another database by the path of the URL', async () => {
  await redis.cli('-n', '3', 'rpush', 'jobs', 'a');
  assert.equal(totalOf(await read({ url: redis.url.replace(/0$/, '3'), key: 'jobs' })).value, 1);
});

test('a stream: its length, what a group has not read, and what it has not acknowledged', async () => {
  await redis.cli('xgroup', 'create', 'events', 'workers', '$', 'mkstream');
  for (const id of ['1', '2', '3', '4']) await redis.cli('xadd', 'events', '*', 'id', id);
  await redis.cli('xreadgroup', 'group', 'workers', 'w1', 'count', '3', 'streams', 'events', '>');
  const value = async (what: string) =>
    totalOf(await read({ key: 'events', what, ...(what === 'stream' ? {} : { group: 'workers' }) })).value;
  assert.equal(await value('stream'), 4);
  assert.equal(await value('pending'), 3);
  assert.equal(await value('lag'), 1);
});

test('a stream that is not there is empty and not 0; a group that is not there, and another type, are refused', async () => {
  assert.equal(failureOf(await read({ key: 'nothing', what: 'stream' })).code, 'empty');
  assert.equal(failureOf(await read({ key: 'nothing', what: 'lag', group: 'workers' })).code, 'empty');
  await redis.cli('xadd', 'other', '*', 'id', '1');
  assert.match(failureOf(await read({ key: 'other', what: 'lag', group: 'none' })).message, /no group none/);
  const pending = failureOf(await read({ key: 'other', what: 'pending', group: 'none' }));
  assert.equal(pending.code, 'refused');
  assert.match(pending.message, /NOGROUP/);
  await redis.cli('set', 'text', 'x');
  const wrong = failureOf(await read({ key: 'text' }));
  assert.equal(wrong.code, 'refused');
  assert.match(wrong.message, /^redis redis:\/\/127\.0\.0\.1:\d+\/0 key text: it answered: WRONGTYPE/);
});

test('a lag that Redis does not know, and a Redis before 7.0, are errors', () => {
  const group = (...more: unknown[]) => [['name', 'workers', 'pending', 0, ...more]];
  assert.equal(lagOf(group('lag', 4), 'events', 'workers'), 4);
  assert.throws(() => lagOf(group('lag', null), 'events', 'workers'), /does not know the lag/);
  assert.throws(() => lagOf(group(), 'events', 'workers'), /tells no lag/);
});

test('credentials: right, wrong and none; the password is in no error', async () => {
  await using secured = await startRedis({ password: 'hunter2-right' });
  await using secret = await secretFile('hunter2-right');
  await secured.cli('rpush', 'jobs', 'a');
  const auth = { username: 'default', passwordFile: secret.path };
  const readSecured = (rest: object) => read({ url: secured.url, key: 'jobs', ...rest });
  assert.equal(totalOf(await readSecured({ auth })).value, 1);
  assert.equal(failureOf(await readSecured({})).code, 'unauthorized');
  await secret.write('hunter2-wrong');
  const failure = failureOf(await readSecured({ auth }));
  assert.equal(failure.code, 'unauthorized');
  assert.doesNotMatch(failure.message, /hunter2/);
  assert.equal(failureOf(await readSecured({ auth: { bearerFile: secret.path } })).code, 'unauthorized');
});

test('TLS with a client certificate; without, the read fails', async () => {
  await using certificates = await makeCertificates();
  const { ca, serverCert, serverKey, clientCert, clientKey } = certificates;
  await using secured = await startRedis({ tls: { ca, cert: serverCert, key: serverKey } });
  await secured.cli('rpush', 'jobs', 'a', 'b');
  const tls = { ca, cert: clientCert, key: clientKey };
  assert.equal(totalOf(await read({ url: secured.url, key: 'jobs', tls })).value, 2);
  assert.equal(failureOf(await read({ url: secured.url, key: 'jobs' })).code, 'unreachable');
});

test('Redis that is slow, hangs, is away or speaks garbage; nothing stays open', async () => {
  await redis.cli('client', 'pause', '400');
  assert.equal(failureOf(await read({ key: 'jobs' }, 100)).code, 'timeout');
  await until(async () => totalOf(await read({ key: 'jobs' })).value === 0, { what: 'Redis answers again' });
  await using silent = await startSilent();
  await using garbage = await startGarbage();
  const at = (port: number, deadlineMs?: number) =>
    read({ url: `redis://127.0.0.1:${port}`, key: 'jobs' }, deadlineMs);
  assert.equal(failureOf(await at(silent.port, 100)).code, 'timeout');
  assert.equal(failureOf(await at(garbage.port, 100)).code, 'timeout');
  await using web = await startJsonServer();
  assert.equal(failureOf(await at(web.port)).code, 'unreachable');
  await until(() => silent.open() === 0 && garbage.open() === 0, { what: 'every connection is closed' });
  const gone = await startRedis();
  await gone.stop();
  assert.equal(failureOf(await read({ url: gone.url, key: 'jobs' })).code, 'unreachable');
  await until(async () => /connected_clients:1\b/.test(await redis.cli('info', 'clients')), {
    what: 'Redis has no connection but the one that asks',
  });
});

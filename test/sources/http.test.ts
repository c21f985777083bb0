import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { freePort, until } from '../bench/wait.ts';
import { makeCertificates } from './certificates.ts';
import { startGarbage, startSilent } from './faulty-server.ts';
import { startJsonServer } from './json-server.ts';
import { failureOf, testSource, totalOf } from './read-source.ts';
import { secretFile } from './secret-file.ts';

test('the number at the path of the document is the value', async () => {
  await using server = await startJsonServer();
  server.answer({ body: { data: { queues: [{ length: 7, 'in.flight': '3' }], none: null, empty: [] } } });
  const at = (value: string) => testSource({ type: 'http', url: `${server.url}/q?x=1`, value }).read();
  assert.deepEqual(await at('data.queues[0].length'), { ok: true, shape: 'total', value: 7, ageMs: 0 });
  assert.equal(totalOf(await at('data.queues[0]["in.flight"]')).value, 3);
  assert.equal(failureOf(await at('data.none')).code, 'empty');
  assert.equal(failureOf(await at('data.empty[0]')).code, 'empty');
  assert.equal(failureOf(await at('data.other')).code, 'bad-answer');
  assert.equal(failureOf(await at('data.queues')).code, 'bad-answer');
  assert.match(failureOf(await at('data..x[')).message, /is no path/);
  assert.equal(server.asked[0]?.path, '/q?x=1');
});

test('a POST sends its body and headers', async () => {
  await using server = await startJsonServer();
  server.answer(({ method, headers, body }) => ({
    body: method === 'POST' && headers['x-tenant'] === 'a' && JSON.parse(body).want === 'depth' ? 5 : 0,
  }));
  const config = { type: 'http', url: server.url, method: 'POST', headers: { 'x-tenant': 'a' } };
  assert.equal(totalOf(await testSource({ ...config, body: { want: 'depth' } }).read()).value, 5);
});

test('a NaN and an infinity are an error of their own, whatever JSON they are written in', async () => {
  await using server = await startJsonServer();
  const source = testSource({ type: 'http', url: server.url });
  server.answer({ body: '"NaN"' });
  assert.equal(failureOf(await source.read()).code, 'nan');
  server.answer({ body: '"+Inf"' });
  assert.equal(failureOf(await source.read()).code, 'nan');
});

test('nothing but a 2xx is an answer: an error page never reads as a number', async () => {
  await using server = await startJsonServer();
  const source = testSource({ type: 'http', url: server.url });
  for (const [status, code] of [
    [301, 'refused'],
    [401, 'unauthorized'],
    [403, 'unauthorized'],
    [404, 'refused'],
    [429, 'refused'],
    [500, 'refused'],
    [503, 'refused'],
  ] as const) {
    server.answer({ status, headers: { location: `${server.url}/other` }, body: '0' });
    const failure = failureOf(await source.read());
    assert.equal(failure.code, code, String(status));
    assert.match(failure.message, new RegExp(`answered ${status}`));
  }
  assert.ok(
    server.asked.every(({ path }) => path === '/'),
    'no redirect was followed',
  );
});

test('what the answer says is wrong is in the message', async () => {
  await using server = await startJsonServer();
  server.answer({ status: 400, body: { error: { reason: 'no such field [depth]' } } });
  assert.match(
    failureOf(await testSource({ type: 'http', url: server.url }).read()).message,
    /answered 400: no such field \[depth\]/,
  );
});

test('garbage in JSON, in HTTP and in size is a bad answer', async () => {
  await using server = await startJsonServer();
  const source = testSource({ type: 'http', url: server.url });
  server.answer({ body: '<html>0</html>' });
  assert.equal(failureOf(await source.read()).code, 'bad-answer');
  server.answer({ body: `"${'x'.repeat(5 * 1024 * 1024)}"` });
  assert.match(failureOf(await source.read()).message, /larger than/);
  await using garbage = await startGarbage();
  const failure = failureOf(
    await testSource({ type: 'http', url: `http://127.0.0.1:${garbage.port}` }).read(),
  );
  assert.equal(failure.code, 'bad-answer');
  assert.match(failure.message, /does not speak HTTP/);
});

test('a peer that is away, and one that never answers, are told apart', async () => {
  const port = await freePort();
  const away = failureOf(await testSource({ type: 'http', url: `http://127.0.0.1:${port}/x` }).read());
  assert.equal(away.code, 'unreachable');
  assert.match(away.message, new RegExp(`^http http://127.0.0.1:${port}/x: .*ECONNREFUSED`));
  await using silent = await startSilent();
  const hung = await testSource({ type: 'http', url: `http://127.0.0.1:${silent.port}` }).read(100);
  assert.equal(failureOf(hung).code, 'timeout');
  await until(() => silent.open() === 0, { what: 'the connection that timed out is closed' });
});

test('an answer that begins and never ends times out', async () => {
  await using server = await startJsonServer();
  server.answer(() => new Promise(() => undefined));
  const source = testSource({ type: 'http', url: server.url });
  assert.equal(failureOf(await source.read(100)).code, 'timeout');
});

test('bearer and basic credentials come from files, and a rotated secret is used at once', async () => {
  await using server = await startJsonServer();
  await using secret = await secretFile('first-secret');
  let wanted = 'Bearer first-secret';
  server.answer(({ headers }) => (headers.authorization === wanted ? { body: 1 } : { status: 401 }));
  const bearer = testSource({ type: 'http', url: server.url, auth: { bearerFile: secret.path } });
  assert.equal(totalOf(await bearer.read()).value, 1);
  wanted = 'Bearer second-secret';
  assert.equal(failureOf(await bearer.read()).code, 'unauthorized');
  await secret.write('second-secret');
  assert.equal(totalOf(await bearer.read()).value, 1);
  wanted = `Basic ${Buffer.from('reader:second-secret').toString('base64')}`;
  const auth = { username: 'reader', passwordFile: secret.path };
  assert.equal(totalOf(await testSource({ type: 'http', url: server.url, auth }).read()).value, 1);
});

test('no secret is in an error, even when the peer repeats it', async () => {
  await using server = await startJsonServer();
  await using secret = await secretFile('hunter2/+secret');
  server.answer(({ headers }) => ({
    status: 401,
    body: { error: `wrong: ${headers.authorization} hunter2/+secret` },
  }));
  const auths = [{ bearerFile: secret.path }, { username: 'reader', passwordFile: secret.path }];
  for (const auth of auths) {
    const { message } = failureOf(await testSource({ type: 'http', url: server.url, auth }).read());
    assert.match(message, /\*\*\*/);
    assert.doesNotMatch(message, /hunter2/);
    assert.ok(!message.includes(Buffer.from('reader:hunter2/+secret').toString('base64')), message);
  }
});

test('a URL with credentials in it is refused by the schema, which says where they belong', () => {
  for (const url of ['http://reader:hunter2@host/', 'http://reader@host/'])
    assert.throws(() => testSource({ type: 'http', url }), /give them in auth/);
  assert.throws(
    () => testSource({ type: 'redis', url: 'redis://:hunter2@host/0', key: 'x' }),
    /give them in auth/,
  );
  assert.throws(
    () => testSource({ type: 'sql', url: 'mysql://a:b@host/x', query: 'SELECT 1' }),
    /give them in auth/,
  );
});

test('a URL in an error is shown without its query', async () => {
  const url = `http://127.0.0.1:${await freePort()}/depth?token=hunter2`;
  const { message } = failureOf(await testSource({ type: 'http', url }).read());
  assert.match(message, /\/depth/);
  assert.doesNotMatch(message, /hunter2/);
});

test('a secret file that is missing or empty is named', async () => {
  await using secret = await secretFile('');
  const read = (path: string) =>
    testSource({ type: 'http', url: 'http://127.0.0.1:1', auth: { bearerFile: path } }).read();
  assert.match(failureOf(await read(secret.path)).message, /is empty/);
  const missing = failureOf(await read('/nowhere/secret'));
  assert.equal(missing.code, 'unauthorized');
  assert.match(missing.message, /bearerFile: cannot read \/nowhere\/secret: ENOENT/);
});

test('TLS: own authority and client certificate; without either the read fails and says so', async () => {
  await using certificates = await makeCertificates();
  await using server = await startJsonServer(await certificates.serverOptions());
  server.answer({ body: 42 });
  const { ca, clientCert: cert, clientKey: key } = certificates;
  const read = (tls?: object) => testSource({ type: 'http', url: server.url, ...(tls && { tls }) }).read();
  assert.equal(totalOf(await read({ ca, cert, key })).value, 42);
  const untrusted = failureOf(await read());
  assert.equal(untrusted.code, 'unreachable');
  assert.match(untrusted.message, /TLS failed/);
  assert.equal(failureOf(await read({ ca })).code, 'unreachable');
  assert.match(failureOf(await read({ ca: '/nowhere/ca.pem' })).message, /tls\.ca: cannot read/);
});

test('TLS files that change are used at the next read', async () => {
  await using certificates = await makeCertificates();
  await using others = await makeCertificates();
  await using server = await startJsonServer(await certificates.serverOptions());
  server.answer({ body: 42 });
  const ca = join(certificates.folder, 'trusted.pem');
  await copyFile(others.ca, ca);
  const tls = { ca, cert: certificates.clientCert, key: certificates.clientKey };
  const source = testSource({ type: 'http', url: server.url, tls });
  assert.equal(failureOf(await source.read()).code, 'unreachable');
  await copyFile(certificates.ca, ca);
  assert.equal(totalOf(await source.read()).value, 42);
});

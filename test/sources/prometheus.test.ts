import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test from 'node:test';
import { parsePushedMetrics } from '../../coordinator/sources/parse-pushed-metrics.ts';
import type { PushedMetric } from '../../coordinator/sources/pushed-metrics.ts';
import { type Prometheus, prometheusUser, startPrometheus } from '../bench/prometheus.ts';
import { until } from '../bench/wait.ts';
import { startGarbage, startSilent } from './faulty-server.ts';
import { startJsonServer } from './json-server.ts';
import { failureOf, samplesOf, testSource, totalOf } from './read-source.ts';
import { secretFile } from './secret-file.ts';

let prometheus: Prometheus;
test.before(async () => {
  prometheus = await startPrometheus();
});
test.after(() => prometheus.stop());

const sourceOf = (query: string, rest: object = {}, url = prometheus.url) =>
  testSource(
    { type: 'prometheus', url, query, ...rest },
    { instances: () => [{ id: 'container-1', names: ['10.0.0.1:80'] }] },
  );

/** Two series, for two instances. */
const two = (a: string, b: string) =>
  `label_replace(vector(${a}), "instance", "10.0.0.1:80", "", "") or label_replace(vector(${b}), "instance", "other", "", "")`;

test('a scalar and a vector of one series are the value', async () => {
  assert.deepEqual(await sourceOf('1 + 2').read(), { ok: true, shape: 'total', value: 3, ageMs: 0 });
  assert.equal(totalOf(await sourceOf('vector(1.5)', {}, `${prometheus.url}/`).read()).value, 1.5);
  assert.equal(totalOf(await sourceOf('vector(0)').read()).value, 0);
});

test('a series for each instance gives values of instances, named as the decision knows them', async () => {
  const samples = samplesOf(await sourceOf(two('4', '2'), { instanceLabel: 'instance' }).read());
  assert.deepEqual(samples, {
    'container-1': { value: 4, ageMs: 0, windowMs: 0 },
    other: { value: 2, ageMs: 0, windowMs: 0 },
  });
});

test('a query that matches nothing is empty and not 0', async () => {
  const failure = failureOf(await sourceOf('sum(no_such_metric)').read());
  assert.equal(failure.code, 'empty');
  assert.match(failure.message, /whenEmpty: zero/);
});

test('0/0 is NaN and not 0, an infinity is no number either, and an instance that is NaN stays so', async () => {
  for (const query of ['vector(0) / 0', 'vector(1) / 0'])
    assert.equal(failureOf(await sourceOf(query).read()).code, 'nan');
  const { 'container-1': sample, other } = samplesOf(
    await sourceOf(two('0 / 0', '2'), { instanceLabel: 'instance' }).read(),
  );
  assert.deepEqual([sample?.value, other?.value], [Number.NaN, 2]);
});

test('a query that gives several series, a range or a text is refused with what to write instead', async () => {
  assert.match(failureOf(await sourceOf(two('4', '2')).read()).message, /2 series.*aggregate/);
  assert.match(failureOf(await sourceOf('prometheus_build_info[1m]').read()).message, /gives a matrix/);
  assert.match(failureOf(await sourceOf('"text"').read()).message, /gives a string/);
  assert.match(failureOf(await sourceOf('vector(1)', { instanceLabel: 'id' }).read()).message, /no label id/);
  const doubled = sourceOf(`label_replace(${two('4', '2')}, "x", "same", "", "")`, { instanceLabel: 'x' });
  assert.match(failureOf(await doubled.read()).message, /several series have x="same"/);
});

test('a query that does not parse is refused with what Prometheus says', async () => {
  const failure = failureOf(await sourceOf('sum(').read());
  assert.equal(failure.code, 'refused');
  assert.match(failure.message, /^prometheus http:\/\/127\.0\.0\.1:\d+: it answered 400: .*parse error/);
});

test('credentials: right, wrong and none', async () => {
  await using secured = await startPrometheus({ auth: true });
  await using secret = await secretFile(prometheusUser.password);
  const auth = { username: prometheusUser.username, passwordFile: secret.path };
  const read = (rest: object) => sourceOf('vector(3)', rest, secured.url).read();
  assert.equal(totalOf(await read({ auth })).value, 3);
  assert.equal(failureOf(await read({})).code, 'unauthorized');
  await secret.write('wrong');
  assert.equal(failureOf(await read({ auth })).code, 'unauthorized');
});

test('Prometheus that is slow, away or garbage', async () => {
  await using silent = await startSilent();
  await using garbage = await startGarbage();
  const read = (url: string, deadlineMs?: number) => sourceOf('vector(3)', {}, url).read(deadlineMs);
  assert.equal(failureOf(await read(`http://127.0.0.1:${silent.port}`, 100)).code, 'timeout');
  assert.equal(failureOf(await read(`http://127.0.0.1:${garbage.port}`)).code, 'bad-answer');
  const gone = await startPrometheus();
  assert.equal(totalOf(await read(gone.url)).value, 3);
  await gone.stop();
  assert.equal(failureOf(await read(gone.url)).code, 'unreachable');
});

test('what is no answer to a query is a bad answer; warnings make it partial', async () => {
  await using server = await startJsonServer();
  const read = (body: unknown) => {
    server.answer({ body });
    return sourceOf('up', {}, server.url).read();
  };
  const data = { resultType: 'vector', result: [{ metric: {}, value: [1, '3'] }] };
  assert.equal(failureOf(await read({ status: 'success', data: {} })).code, 'bad-answer');
  assert.equal(failureOf(await read({ status: 'error', error: 'x' })).code, 'bad-answer');
  assert.equal(totalOf(await read({ status: 'success', data })).partial, undefined);
  const warned = await read({ status: 'success', data, warnings: ['store gateway 2 is unavailable'] });
  assert.equal(totalOf(warned).partial, 'store gateway 2 is unavailable');
});

test('what Prometheus itself sends as remote write is understood', async () => {
  const received: PushedMetric[] = [];
  const receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    received.push(...parsePushedMetrics(request.headers['content-type'] ?? '', Buffer.concat(chunks)));
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const address = receiver.address();
  assert.ok(address !== null && typeof address === 'object');
  const config = `
global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs:
  - { job_name: nobody, static_configs: [{ targets: ['127.0.0.1:1'] }] }
remote_write:
  - { url: 'http://127.0.0.1:${address.port}/api/v1/metrics', queue_config: { batch_send_deadline: 100ms } }
`;
  await using _sender = await startPrometheus({ config });
  const up = await until(() => received.find(({ name }) => name === 'up'), { what: 'Prometheus sends `up`' });
  assert.deepEqual([up.value, up.labels], [0, { instance: '127.0.0.1:1', job: 'nobody' }]);
  assert.ok(up.at !== undefined && Math.abs(Date.now() - up.at) < 60_000);
  receiver.closeAllConnections();
  receiver.close();
});

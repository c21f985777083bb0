import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { startGarbage, startSilent } from './faulty-server.ts';
import { type Answer, startJsonServer } from './json-server.ts';
import { failureOf, testSource, totalOf } from './read-source.ts';
import { secretFile } from './secret-file.ts';

const average = { avg: { field: 'took' } };
const percentile = { percentiles: { field: 'took', percents: [95] } };

for (const version of [7, 8, 9]) {
  const file = join(import.meta.dirname, 'recorded', `elasticsearch-${version}.json`);
  const answers: Record<string, Answer> = JSON.parse(readFileSync(file, 'utf8'));

  /** Reads a source against one of the answers. */
  const read = async (name: string, config: object = {}) => {
    await using server = await startJsonServer();
    const answer = answers[name];
    assert.ok(answer, name);
    server.answer(answer);
    const reading = await testSource({
      type: 'elasticsearch',
      url: server.url,
      index: 'jobs',
      ...config,
    }).read();
    const [asked] = server.asked;
    assert.ok(asked);
    return { reading, asked };
  };

  test(`Elasticsearch ${version}: documents are counted with the query`, async () => {
    const query = { term: { state: 'waiting' } };
    const { reading, asked } = await read('count', { query, index: 'jobs-*,other' });
    assert.deepEqual(reading, { ok: true, shape: 'total', value: 42, ageMs: 0 });
    assert.deepEqual([asked.method, asked.path], ['POST', '/jobs-*,other/_count']);
    assert.deepEqual(JSON.parse(asked.body), { query });
  });

  test(`Elasticsearch ${version}: one aggregation, also a percentile`, async () => {
    const { reading, asked } = await read('average', { aggregation: average });
    assert.equal(totalOf(reading).value, 12.5);
    assert.equal(asked.path, '/jobs/_search');
    const body = JSON.parse(asked.body);
    assert.deepEqual([body.size, body.aggs, body.query], [0, { value: average }, { match_all: {} }]);
    assert.equal(totalOf((await read('percentile', { aggregation: percentile })).reading).value, 240);
  });

  test(`Elasticsearch ${version}: an aggregation over nothing, and a pattern without an index, are empty and not 0`, async () => {
    assert.equal(failureOf((await read('averageOfNothing', { aggregation: average })).reading).code, 'empty');
    assert.equal(
      failureOf((await read('percentileOfNothing', { aggregation: percentile })).reading).code,
      'empty',
    );
    assert.equal(
      failureOf((await read('patternWithoutIndex', { index: 'nothing-*' })).reading).code,
      'empty',
    );
  });

  test(`Elasticsearch ${version}: an answer without some shards, or cut off in time, is partial`, async () => {
    assert.equal(totalOf((await read('countOfSomeShards')).reading).partial, '2 of 5 shards failed');
    const some = totalOf((await read('averageOfSomeShards', { aggregation: average })).reading);
    assert.equal(some.partial, '1 of 5 shards failed');
    assert.match(
      totalOf((await read('averageInTime', { aggregation: average })).reading).partial ?? '',
      /time limit/,
    );
  });

  test(`Elasticsearch ${version}: wrong credentials and a missing index are errors with its own words`, async () => {
    await using secret = await secretFile('hunter2');
    const auth = { username: 'reader', passwordFile: secret.path };
    const unauthorized = failureOf((await read('wrongCredentials', { auth })).reading);
    assert.equal(unauthorized.code, 'unauthorized');
    assert.match(unauthorized.message, /unable to authenticate user \[reader\]/);
    const missing = failureOf((await read('noIndex')).reading);
    assert.equal(missing.code, 'refused');
    assert.match(missing.message, /index jobs: it answered 404: no such index \[nothing\]/);
  });
}

test('answers that are none: another shape, no aggregation, several percentiles, a NaN', async () => {
  await using server = await startJsonServer();
  const shards = { total: 1, successful: 1, skipped: 0, failed: 0 };
  const read = async (body: unknown, aggregation?: object) => {
    server.answer({ body });
    const config = {
      type: 'elasticsearch',
      url: server.url,
      index: 'jobs',
      ...(aggregation && { aggregation }),
    };
    return failureOf(await testSource(config).read());
  };
  const search = (value: unknown) => ({ timed_out: false, _shards: shards, aggregations: { value } });
  assert.equal((await read({ tagline: 'You Know, for Search' })).code, 'bad-answer');
  assert.equal((await read({ timed_out: false, _shards: shards }, average)).code, 'bad-answer');
  assert.match(
    (await read(search({ values: { '50.0': 1, '95.0': 2 } }), percentile)).message,
    /2 percentiles/,
  );
  assert.match((await read(search({ buckets: [] }), average)).message, /no single value/);
  assert.equal((await read(search({ value: 'NaN' }), average)).code, 'nan');
  assert.equal((await read({ count: 0, _shards: { total: 2, successful: 0, failed: 2 } })).code, 'refused');
});

test('Elasticsearch that hangs, is away or speaks garbage', async () => {
  await using silent = await startSilent();
  await using garbage = await startGarbage();
  const read = async (port: number, deadlineMs?: number) => {
    const config = { type: 'elasticsearch', url: `http://127.0.0.1:${port}`, index: 'jobs' };
    return failureOf(await testSource(config).read(deadlineMs)).code;
  };
  assert.equal(await read(silent.port, 100), 'timeout');
  assert.equal(await read(garbage.port), 'bad-answer');
  const { port } = silent;
  await silent[Symbol.asyncDispose]();
  assert.equal(await read(port), 'unreachable');
});

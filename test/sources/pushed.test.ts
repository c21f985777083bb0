import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { PbfWriter } from 'pbf';
import { compress } from 'snappyjs';
import { parsePushedMetrics } from '../../coordinator/sources/parse-pushed-metrics.ts';
import { PushedMetrics } from '../../coordinator/sources/pushed-metrics.ts';
import type { Clock } from '../../shared/clock.ts';
import { isBerthError } from '../../shared/errors.ts';
import { failureOf, testSource, totalOf } from './read-source.ts';

const json = 'application/json; charset=utf-8';
const parse = (contentType: string, body: unknown, name?: string) =>
  parsePushedMetrics(contentType, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), name);
const sample = (file: string) => readFileSync(join(import.meta.dirname, 'recorded', file), 'utf8');
const isInvalid = (error: unknown) => isBerthError(error, 'request.invalid');

test('a plain number takes the name of the request, as text, as JSON, and as curl sends it', () => {
  const jobs = [{ name: 'jobs', labels: {}, value: 42 }];
  assert.deepEqual(parse('text/plain', '42\n', 'jobs'), jobs);
  assert.deepEqual(parse(json, 42, 'jobs'), jobs);
  assert.deepEqual(parse(json, '"42"', 'jobs'), jobs);
  assert.deepEqual(parse('application/x-www-form-urlencoded', '42', 'jobs'), jobs);
  assert.throws(() => parse('text/plain', '42'), /without a name/);
});

test('a name with its value, with labels and a time, alone or in a list', () => {
  const own = { name: 'jobs', value: 42, labels: { queue: 'mail' }, timestamp: '2026-01-02T03:04:05Z' };
  const parsed = { name: 'jobs', value: 42, labels: { queue: 'mail' }, at: Date.UTC(2026, 0, 2, 3, 4, 5) };
  assert.deepEqual(parse(json, own), [parsed]);
  assert.deepEqual(parse(json, [own, { name: 'x', value: '1.5e3' }]), [
    parsed,
    { name: 'x', value: 1500, labels: {} },
  ]);
  assert.equal(parse(json, { ...own, timestamp: 1_700_000_000 })[0]?.at, 1_700_000_000_000);
});

test('what is no metric is refused, naming what is wrong', () => {
  for (const body of [
    {},
    { name: 'jobs' },
    { name: 'jobs', value: 'many' },
    { name: '', value: 1 },
    'true',
    '[[]',
  ])
    assert.throws(() => parse(json, body), isInvalid);
  assert.throws(() => parse(json, { name: 'jobs', value: 1, lables: {} }), /lables/);
  assert.throws(() => parse('text/plain', 'jobs: many'), /line 1/);
  assert.throws(() => parse('text/plain', 'jobs 1\njobs{queue=mail} 2'), /line 2/);
  assert.throws(() => parse(json, { name: 'x'.repeat(2000), value: 1 }), isInvalid);
});

test('a document of Metricbeat, of its version 8 and of its version 6: each number under its dotted path', () => {
  const at = Date.parse('2017-10-12T08:05:34.853Z');
  const metrics = parse(json, sample('metricbeat-8-system-cpu.json'));
  assert.deepEqual(
    metrics.find(({ name }) => name === 'system.cpu.total.norm.pct'),
    { name: 'system.cpu.total.norm.pct', labels: { 'host.name': 'host.example.com' }, value: 0.0468, at },
  );
  assert.ok(metrics.every(({ name }) => name.startsWith('system.cpu.')));
  const old = parse(json, sample('metricbeat-6-system-cpu.json'));
  assert.equal(old.find(({ name }) => name === 'system.cpu.total.pct')?.value, 2.3168);
  const network = parse(json, {
    '@timestamp': '2017-10-12T08:05:34.853Z',
    event: { module: 'system' },
    system: { network: { name: 'eth0', in: { bytes: 7 }, state: 'up' } },
  });
  assert.deepEqual(network, [
    { name: 'system.network.in.bytes', labels: { 'system.network.name': 'eth0' }, value: 7, at },
  ]);
  assert.throws(
    () => parse(json, { '@timestamp': '2017-10-12T08:05:34.853Z', event: { module: 'nginx' } }),
    isInvalid,
  );
});

test('the webhook of Datadog, with the value in a field of its own or in its text', () => {
  const webhook = JSON.parse(sample('datadog-webhook.json'));
  const labels = { host: 'my-host', role: 'computing-node', 'availability-zone': 'us-east-1a' };
  const parsed = { name: 'system.load.1', labels, at: 1_406_662_672_000 };
  assert.deepEqual(parse(json, webhook), [{ ...parsed, value: 6.25 }]);
  assert.deepEqual(parse(json, { ...webhook, value: '7' }), [{ ...parsed, value: 7 }]);
  assert.throws(
    () => parse(json, { ...webhook, body: 'no number here' }),
    /carries no value of system\.load\.1/,
  );
  const { alert_metric: _, ...defaults } = webhook;
  assert.throws(() => parse(json, defaults), /alert_metric/);
});

test("Datadog's series, version 1 and 2: the newest point of each", () => {
  const labels = { host: 'my-host', queue: 'mail' };
  const parsed = [{ name: 'jobs', labels, value: 9, at: 1_700_000_010_000 }];
  const points = [
    [1_700_000_010, 9],
    [1_700_000_000, 5],
  ];
  assert.deepEqual(
    parse(json, { series: [{ metric: 'jobs', points, host: 'my-host', tags: ['queue:mail'] }] }),
    parsed,
  );
  const second = {
    metric: 'jobs',
    type: 3,
    points: [{ timestamp: 1_700_000_010, value: 9 }],
    resources: [{ type: 'host', name: 'my-host' }],
    tags: ['queue:mail'],
  };
  assert.deepEqual(parse(json, { series: [second, { metric: 'none', points: [] }] }), parsed);
});

test('the webhook of Stackdriver, also of the version that has the value in its text only', () => {
  const [metric] = parse(json, sample('stackdriver-1.2.json'));
  assert.equal(metric?.name, 'compute.googleapis.com/instance/cpu/utilization');
  assert.equal(metric?.value, 0.9125);
  assert.equal(metric?.labels['instance_id'], '11223344');
  const [old] = parse(json, sample('stackdriver-1.2-without-value.json'));
  assert.deepEqual([old?.name, old?.value], ['GCE VM Instance - CPU usage', 4.997]);
  assert.throws(() => parse(json, { incident: { condition_name: 'x', summary: 'closed' } }), isInvalid);
});

test("Prometheus' text format, with comments, escapes, times and NaN; OpenMetrics' times are seconds", () => {
  const text = [
    '# HELP jobs Jobs that wait.',
    '# TYPE jobs gauge',
    'jobs{queue="mail",path="C:\\\\x \\"y\\"\\n"} 1.5 1395066363000',
    'jobs 3',
    'nothing NaN',
    'buckets_bucket{le="+Inf"} 7',
    '',
  ].join('\n');
  assert.deepEqual(parse('text/plain; version=0.0.4', text), [
    { name: 'jobs', labels: { queue: 'mail', path: 'C:\\x "y"\n' }, value: 1.5, at: 1_395_066_363_000 },
    { name: 'jobs', labels: {}, value: 3 },
    { name: 'nothing', labels: {}, value: Number.NaN },
    { name: 'buckets_bucket', labels: { le: '+Inf' }, value: 7 },
  ]);
  const [metric] = parse('application/openmetrics-text', 'jobs 3 1395066363.5\n# EOF');
  assert.equal(metric?.at, 1_395_066_363_500);
});

function remoteWrite(
  ...series: { labels: Record<string, string>; samples: [number, number][] }[]
): Uint8Array {
  const writer = new PbfWriter();
  for (const { labels, samples } of series)
    writer.writeMessage(
      1,
      (_, request) => {
        for (const [name, value] of Object.entries(labels))
          request?.writeMessage(
            1,
            (__, label) => {
              label?.writeStringField(1, name);
              label?.writeStringField(2, value);
            },
            null,
          );
        for (const [value, at] of samples)
          request?.writeMessage(
            2,
            (__, one) => {
              one?.writeDoubleField(1, value);
              one?.writeVarintField(2, at);
            },
            null,
          );
      },
      null,
    );
  return compress(writer.finish());
}

test("Prometheus' remote write, version 1: the newest sample of each series", () => {
  const labels = { __name__: 'jobs', queue: 'mail' };
  const body = remoteWrite(
    {
      labels,
      samples: [
        [5, 1_700_000_000_000],
        [9, 1_700_000_010_000],
      ],
    },
    { labels: { queue: 'no name' }, samples: [[1, 1]] },
  );
  assert.deepEqual(parsePushedMetrics('application/x-protobuf', body), [
    { name: 'jobs', labels: { queue: 'mail' }, value: 9, at: 1_700_000_010_000 },
  ]);
  assert.throws(() => parsePushedMetrics('application/x-protobuf', Buffer.from('garbage')), isInvalid);
  assert.throws(
    () => parsePushedMetrics('application/x-protobuf;proto=io.prometheus.write.v2.Request', body),
    /version 2/,
  );
});

class FakeClock implements Clock {
  ms = 0;
  monotonic = () => this.ms;
  wall = () => 1_700_000_000_000 + this.ms;
  sleep = async () => undefined;
}

test('a posted value is read with its age; nothing posted is empty; several series are told apart by labels', async () => {
  const clock = new FakeClock();
  const pushed = new PushedMetrics(clock);
  const read = (config: object) => testSource({ type: 'pushed', ...config }, { pushed, clock }).read();
  assert.equal(failureOf(await read({ metric: 'jobs' })).code, 'empty');
  pushed.put([{ name: 'jobs', labels: { queue: 'mail' }, value: 4 }]);
  clock.ms = 3000;
  assert.deepEqual(await read({ metric: 'jobs' }), { ok: true, shape: 'total', value: 4, ageMs: 3000 });
  pushed.put([{ name: 'jobs', labels: { queue: 'print' }, value: 6 }]);
  assert.match(failureOf(await read({ metric: 'jobs' })).message, /several series match.*mail.*print/);
  assert.equal(totalOf(await read({ metric: 'jobs', labels: { queue: 'print' } })).value, 6);
  pushed.put([{ name: 'jobs', labels: { queue: 'print' }, value: Number.NaN }]);
  assert.equal(failureOf(await read({ metric: 'jobs', labels: { queue: 'print' } })).code, 'nan');
});

test('a value is as old as its own time says; one from the future is new; a late one does not replace a newer one', () => {
  const clock = new FakeClock();
  clock.ms = 60_000;
  const pushed = new PushedMetrics(clock);
  const put = (value: number, at: number) =>
    pushed.put([{ name: 'jobs', labels: {}, value, at: clock.wall() + at }]);
  put(1, -10_000);
  assert.deepEqual(pushed.find('jobs'), [{ name: 'jobs', labels: {}, value: 1, at: 50_000 }]);
  put(2, 5000);
  assert.deepEqual(pushed.find('jobs'), [{ name: 'jobs', labels: {}, value: 2, at: 60_000 }]);
  put(3, -1);
  assert.equal(pushed.find('jobs')[0]?.value, 2);
});

test('the number of series is bounded: what was not written for longest goes first', () => {
  const pushed = new PushedMetrics(new FakeClock(), 3);
  const put = (...names: string[]) => pushed.put(names.map((name) => ({ name, labels: {}, value: 1 })));
  put('a', 'b', 'c', 'a', 'd');
  assert.equal(pushed.size, 3);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].filter((name) => pushed.find(name).length > 0),
    ['a', 'c', 'd'],
  );
});

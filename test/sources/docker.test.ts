import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { dockerContainerStats } from '../../coordinator/sources/container-stats.ts';
import { cpuSample } from '../../coordinator/sources/docker-source.ts';
import type { SourceInstance } from '../../coordinator/sources/source.ts';
import { createDockerClient } from '../../coordinator/targets/docker/client.ts';
import { systemClock } from '../../shared/clock.ts';
import { type Container, type DockerEngine, dockerEngine } from '../bench/docker.ts';
import { baseImage, ensureBaseImage } from '../bench/images.ts';
import { until } from '../bench/wait.ts';
import { failureOf, samplesOf, testSource } from './read-source.ts';

let engine: DockerEngine;
/** Burns CPU and writes a file, with limits; ends by itself. */
let limited: Container;
/** Sleeps, without limits. */
let unlimited: Container;

test.before(async () => {
  engine = await dockerEngine();
  await ensureBaseImage(engine);
  const burn = 'head -c 30000000 /dev/zero > /tmp/file; while :; do :; done';
  [limited, unlimited] = await Promise.all([
    engine.start({
      image: baseImage,
      options: ['--cpus', '0.25', '--memory', '64m', '--stop-timeout', '0'],
      command: ['timeout', '120', 'sh', '-c', burn],
    }),
    engine.start({ image: baseImage, command: ['sleep', '120'] }),
  ]);
});
test.after(() => engine?.stop());

const instanceOf = ({ id }: Container): SourceInstance => ({
  id: `instance-${id}`,
  names: [],
  container: id,
});

function sourceOf(
  what: string,
  instances: readonly SourceInstance[],
  config: object = {},
  socketPath = engine.socketPath,
) {
  const client = createDockerClient({
    name: 'test',
    address: { socketPath },
    tls: undefined,
    from: 'the test',
  });
  const containers = dockerContainerStats(() => client, systemClock);
  return testSource({ type: 'docker', what, ...config }, { instances: () => instances, containers });
}

test('CPU is a difference of two looks, in thousandths of a core, against the limit of the container', async () => {
  const source = sourceOf('cpu', [instanceOf(limited)]);
  assert.equal(failureOf(await source.read()).code, 'unknown');
  const sample = await until(
    async () => {
      const [first] = Object.values(samplesOf(await source.read()));
      return first !== undefined && first.windowMs > 200 && first.value > 100 && first;
    },
    { what: 'the container is seen to burn CPU', everyMs: 500, deadlineMs: 30_000 },
  );
  assert.ok(sample.value < 500, `${sample.value} of 250, which is its limit`);
  assert.equal(sample.request, 250);
  assert.equal(sample.ageMs, 0);
});

test('memory is without the page cache, against the limit of the container', async () => {
  const source = sourceOf('memory', [instanceOf(limited)]);
  const { [`instance-${limited.id}`]: sample } = samplesOf(await source.read());
  assert.ok(sample);
  assert.ok(
    sample.value > 0 && sample.value < 20_000_000,
    `${sample.value}, after a file of 30 MB was written`,
  );
  assert.equal(sample.request, 64 * 1024 * 1024);
});

test('without a limit a sample has no request, unless the source gives one', async () => {
  const { [`instance-${unlimited.id}`]: bare } = samplesOf(
    await sourceOf('memory', [instanceOf(unlimited)]).read(),
  );
  assert.ok(bare && bare.request === undefined);
  const config = { request: '256Mi' };
  const given = samplesOf(
    await sourceOf('memory', [instanceOf(unlimited), instanceOf(limited)], config).read(),
  );
  assert.deepEqual(
    Object.values(given).map(({ request }) => request),
    [256 * 1024 * 1024, 256 * 1024 * 1024],
  );
});

test('a container that ended or is gone has no sample; when none is left that is empty', async () => {
  const ended = await engine.start({ image: baseImage, command: ['true'] });
  await ended.ended();
  const gone: SourceInstance = { id: 'gone', names: [], container: 'f'.repeat(64) };
  const both = samplesOf(await sourceOf('memory', [instanceOf(ended), gone, instanceOf(unlimited)]).read());
  assert.deepEqual(Object.keys(both), [`instance-${unlimited.id}`]);
  assert.equal(failureOf(await sourceOf('memory', [instanceOf(ended), gone]).read()).code, 'empty');
  assert.equal(failureOf(await sourceOf('memory', []).read()).code, 'empty');
  assert.equal(failureOf(await sourceOf('memory', [{ id: 'no container', names: [] }]).read()).code, 'empty');
});

test('when a container restarts its CPU time begins at 0: no sample, and never a negative one', () => {
  const look = (at: number, cpuNanoseconds: number) => ({ at, cpuNanoseconds, memoryBytes: 1 });
  assert.equal(cpuSample(look(2000, 5e6), look(1000, 9e9)), undefined);
  assert.equal(cpuSample(look(1000, 9e9), look(1000, 9e9)), undefined);
  assert.deepEqual(cpuSample(look(3000, 3e9), look(1000, 2e9)), { value: 500, ageMs: 0, windowMs: 2000 });
});

test('an engine that is away, hangs or speaks garbage', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-docker-'));
  const listen = (name: string, answer: string) =>
    new Promise<ReturnType<typeof createServer>>((resolve) => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        if (answer !== '') socket.end(answer);
      });
      server.listen(join(folder, name), () => resolve(server));
    });
  const read = (name: string, deadlineMs?: number) =>
    sourceOf('memory', [instanceOf(unlimited)], {}, join(folder, name)).read(deadlineMs);
  const servers = [await listen('hangs', ''), await listen('garbage', 'what is this?\r\n\r\n')];
  assert.equal(failureOf(await read('none')).code, 'unreachable');
  assert.equal(failureOf(await read('hangs', 100)).code, 'timeout');
  assert.equal(failureOf(await read('garbage')).code, 'unreachable');
  for (const server of servers) server.close();
  await rm(folder, { recursive: true, force: true });
});

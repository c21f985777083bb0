// What BERTH_APP_METRICS reads from files, and what is said of the container.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { AppMetrics } from '../../agent/app-metrics.ts';
import type { ReadCgroup } from '../../agent/cgroup.ts';
import { parseMetricSources } from '../../agent/metric-source.ts';
import { readMetricFile } from '../../agent/read-metric-file.ts';
import { systemClock } from '../../shared/clock.ts';
import { runProcess } from '../bench/processes.ts';
import { until } from '../bench/wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-metric-files-'));
const megabyte = 1024 * 1024;
before(() => runProcess('mkfifo', [join(folder, 'pipe')]));
after(() => rmSync(folder, { recursive: true }));

/** Samples until `done`, and returns the numbers and what was logged. */
async function sample(
  sources: string,
  done: (names: string[], lines: string[]) => boolean,
  cgroup: ReadCgroup,
) {
  const lines: string[] = [];
  const say = (_fields: object, message: string) => void lines.push(message);
  const log = { debug: say, info: say, warn: say, error: say };
  const settings = { sources: parseMetricSources(sources) ?? [], interval: 20, timeout: 500 };
  const target = () => ({ address: '127.0.0.1', port: 9 });
  const metrics = new AppMetrics(settings, target, cgroup, { clock: systemClock, log });
  const stop = new AbortController();
  const running = metrics.run(stop.signal);
  await until(() => done(Object.keys(metrics.snapshot()), lines), { what: 'the numbers are read' });
  stop.abort();
  await running;
  return { numbers: metrics.snapshot(), lines };
}

test('a file is read whole, and one above 1 MB is an error of that metric, not a number of its beginning', async () => {
  const body = (bytes: number) => `${'# a comment\n'.repeat(bytes / 12)}jobs 7\n`;
  writeFileSync(join(folder, 'long'), body(200_000));
  writeFileSync(join(folder, 'too-long'), `jobs 1\n${body(megabyte)}`);
  const { numbers, lines } = await sample(
    `long=file:${folder}/long#jobs, more=file:${folder}/too-long#jobs`,
    (names, said) => names.includes('long') && said.length > 0,
    () => undefined,
  );
  assert.equal(numbers['long']?.value, 7);
  assert.equal(numbers['more'], undefined);
  assert.deepEqual(lines, [`more cannot be read: ${folder}/too-long is larger than 1 MB`]);
});

test('a pipe that nobody writes to, a device and a folder are refused, and hold up no other number', async () => {
  writeFileSync(join(folder, 'jobs'), '3\n');
  const sources = { pipe: `${folder}/pipe`, device: '/dev/zero', folder };
  const list = Object.entries({ ...sources, jobs: `${folder}/jobs` }).map(
    ([name, path]) => `${name}=file:${path}`,
  );
  const { numbers, lines } = await sample(
    list.join(),
    (names, said) => names.includes('jobs') && said.length >= 3,
    () => undefined,
  );
  assert.deepEqual(Object.keys(numbers), ['jobs']);
  assert.deepEqual(
    lines.toSorted(),
    Object.entries(sources)
      .map(([name, path]) => `${name} cannot be read: ${path} is not a regular file`)
      .toSorted(),
  );
});

test('a read that takes too long is given up', async () => {
  writeFileSync(join(folder, 'slow'), '1');
  await assert.rejects(
    readMetricFile(join(folder, 'slow'), megabyte, AbortSignal.abort(new Error('late'))),
    /late/,
  );
});

test("without the app's cgroup nothing is said of the container", async () => {
  const files: Record<string, string> = { 'cpu.stat': 'usage_usec 2500000\n', 'memory.current': '1000\n' };
  writeFileSync(join(folder, 'jobs'), '3\n');
  const read = (cgroup: ReadCgroup) =>
    sample(`jobs=file:${folder}/jobs`, (names) => names.includes('jobs'), cgroup);
  assert.equal((await read((path) => files[path])).numbers['container.memory']?.value, 1000);
  assert.deepEqual(Object.keys((await read(() => undefined)).numbers), ['jobs']);
});

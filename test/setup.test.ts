import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startProcess } from './bench/processes.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-setup-'));
  await mkdir(join(folder, 'node_modules/.bin'), { recursive: true });
  await symlink(process.execPath, join(folder, 'node_modules/.bin/node'));
  await copyFile(join(import.meta.dirname, '../setup.mjs'), join(folder, 'setup.mjs'));
  await write('node_modules/.package-lock.json', { packages: { 'node_modules/a': { version: '1.0.0' } } });
});
after(() => rm(folder, { recursive: true }));

const write = (file: string, content: unknown) =>
  writeFile(join(folder, file), typeof content === 'string' ? content : JSON.stringify(content));
const lock = (version: string) =>
  write('package-lock.json', {
    packages: {
      '': {},
      'node_modules/a': { version },
      'node_modules/for-another-platform': { version: '2.0.0', optional: true },
    },
  });
const setup = (...args: string[]) =>
  startProcess(process.execPath, [join(folder, 'setup.mjs'), ...args], { cwd: tmpdir() });

test('setup runs the script in the project, with its arguments, output and exit code', async () => {
  await lock('1.0.0');
  await write(
    'script.ts',
    'const words: string[] = process.argv.slice(2); console.log(process.cwd(), words); process.exit(7);',
  );
  const running = await setup('script.ts', 'one', 'two');
  assert.deepEqual(await running.exited, { code: 7, signal: null });
  assert.equal(running.output(), `${folder} [ 'one', 'two' ]\n`);
});

test('setup passes signals on', async () => {
  await write(
    'script.ts',
    "process.on('SIGTERM', () => process.exit(9)); setInterval(() => {}, 1000); console.log('up');",
  );
  const running = await setup('script.ts');
  await running.waitForLine(/^up$/);
  running.signal('SIGTERM');
  assert.deepEqual(await running.exited, { code: 9, signal: null });
});

test('setup installs when a package differs from package-lock.json, and stops when that fails', async () => {
  await lock('1.0.1');
  const running = await setup('script.ts');
  assert.notEqual((await running.exited).code, 0);
  assert.match(
    running.output(),
    /setup: npm ci \(node_modules\/a is 1\.0\.0, package-lock\.json has 1\.0\.1\)/,
  );
  assert.match(running.output(), /setup: npm ci failed/);
  assert.doesNotMatch(running.output(), /^up$/m);
});

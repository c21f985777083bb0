import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runProcess, startProcess } from './processes.ts';

const cache = JSON.stringify(import.meta.resolve('./cache.ts'));
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-cache-'));
});
after(() => rm(folder, { recursive: true }));

function node(script: string) {
  return [
    process.execPath,
    ['--input-type=module', '-e', script],
    { env: { BERTH_BENCH_CACHE: folder } },
  ] as const;
}

test('an entry that several processes ask for at once is made by one of them', async () => {
  const script = `
    const { cached } = await import(${cache});
    await cached('entry', async (made) => {
      console.log('made');
      await (await import('node:fs/promises')).writeFile(made + '/part', '');
    });
  `;
  const outputs = await Promise.all(Array.from({ length: 4 }, () => runProcess(...node(script))));
  assert.deepEqual(outputs.toSorted(), ['', '', '', 'made\n']);
  assert.deepEqual(await readdir(join(folder, 'entry')), ['part']);
});

test('an entry that was not finished is made anew', async () => {
  const script = (end: string) => `
    const { cached } = await import(${cache});
    await cached('second', async (made) => {
      console.log((await import('node:fs')).readdirSync(made).length);
      await (await import('node:fs/promises')).writeFile(made + '/part', '');
      ${end}
    });
  `;
  assert.equal(await runProcess(...node(script('process.exit(0);'))), '0\n');
  assert.equal(await runProcess(...node(script(''))), '0\n');
});

test('a lock is free when its holder was killed', async () => {
  const hold = `
    const { withLock } = await import(${cache});
    await withLock('lock', () => new Promise(() => { console.log('held'); setInterval(() => {}, 1000); }));
  `;
  const holder = await startProcess(...node(hold));
  await holder.waitForLine(/held/);
  holder.signal('SIGKILL');
  await runProcess(...node(`await (await import(${cache})).withLock('lock', async () => {});`));
});

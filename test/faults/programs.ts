// dist/agent.cjs and dist/berth.mjs as users get them, built anew when a source is younger, in a folder that containers
// can mount wherever the project was cloned to. Copies: a build that comes later must not change a stage that stands.
import { globSync, statSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { appFile } from '../bench/app.ts';
import { withLock } from '../bench/cache.ts';
import { runProcess } from '../bench/processes.ts';

const root = join(import.meta.dirname, '..', '..');
const bundles = ['agent.cjs', 'berth.mjs'].map((name) => join(root, 'dist', name));

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function isStale(): boolean {
  const patterns = ['agent/**/*.ts', 'shared/**/*.ts', 'coordinator/**/*.{ts,tsx,css}', 'build.ts'];
  const sources = globSync([...patterns, 'package-lock.json'], { cwd: root });
  const youngest = Math.max(...sources.map((source) => modified(join(root, source))));
  return bundles.some((bundle) => modified(bundle) < youngest);
}

/** Fills `folder` with agent.cjs, berth.mjs and the apps. */
export async function copyPrograms(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const apps = [appFile, ...['odd-app.mjs', 'quick-app.pl'].map((name) => join(import.meta.dirname, name))];
  await withLock('agent-bundle', async () => {
    if (isStale()) await runProcess(process.execPath, ['build.ts'], { cwd: root });
    await Promise.all(
      [...bundles, ...apps].map((file) => copyFile(file, join(folder, file.replace(/^.*\//, '')))),
    );
  });
}

// dist/agent.cjs as users get it, built anew when a source is younger.
import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from '../bench/cache.ts';
import { runProcess } from '../bench/processes.ts';

const root = join(import.meta.dirname, '..', '..');
const bundle = join(root, 'dist', 'agent.cjs');

/** What the images' entrypoints give to the agent's Node, so that it takes less memory. */
export const memoryFlags = ['--jitless', '--single-threaded', '--max-semi-space-size=1'] as const;

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function isStale(): boolean {
  const sources = globSync(['agent/**/*.ts', 'shared/**/*.ts', 'build.ts', 'package-lock.json'], {
    cwd: root,
  });
  return sources.some((source) => modified(join(root, source)) > modified(bundle));
}

/** The path of the bundle, up to date. */
export async function agentBundle(): Promise<string> {
  if (isStale()) {
    await withLock('agent-bundle', async () => {
      if (isStale()) await runProcess(process.execPath, ['build.ts', 'agent'], { cwd: root });
    });
  }
  return bundle;
}

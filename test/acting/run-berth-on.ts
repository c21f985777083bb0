// The command line, as an operator types it, against a stage's coordinator.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { Stage } from './stage.ts';

/** What it wrote, to both, and its exit code. */
export function runBerthOn(stage: Stage, ...words: string[]): Promise<{ code: number; text: string }> {
  const { port, token } = stage.coordinator;
  const env = {
    PATH: process.env['PATH'],
    BERTH_URL: `http://${stage.network.gateway}:${port}`,
    BERTH_TOKEN: token,
    USER: 'test',
  };
  return new Promise((resolve) => {
    const program = join(stage.folder, 'mount', 'berth.mjs');
    execFile(process.execPath, [program, ...words], { env, timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({
        code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1,
        text: stdout + stderr,
      });
    });
  });
}

// dist/berth-agent, built anew.
import { join } from 'node:path';
import { runProcess } from '../bench/processes.ts';

const root = join(import.meta.dirname, '..', '..');
let built: Promise<string> | undefined;

/** Its path; built once in this process. */
export function agentExecutable(): Promise<string> {
  built ??= runProcess(process.execPath, ['build.ts', 'sea'], { cwd: root, deadlineMs: 120_000 }).then(() =>
    join(root, 'dist', 'berth-agent'),
  );
  return built;
}

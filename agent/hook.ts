// The pre-stop hook: a command between the drain and the signal. Its output goes to stderr, since stdout is the app's.
import { spawn } from 'node:child_process';

export type HookResult =
  | { kind: 'ended'; code: number | null; signal: NodeJS.Signals | null }
  | { kind: 'cut-off' }
  | { kind: 'failed'; error: string };

/** A JSON list is run as it is, as in a Dockerfile; anything else is a line for the shell. */
export function parseHookCommand(text: string): [string, ...string[]] {
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.every((word) => typeof word === 'string')) {
      const [file, ...args] = words;
      if (file !== undefined) return [file, ...args];
    }
  } catch {
    // not JSON: a line
  }
  return ['/bin/sh', '-c', text];
}

/** Runs the hook; when `signal` aborts (the time is up, or nobody wants to wait) it is killed. */
export function runHook(text: string, env: Record<string, string>, signal: AbortSignal): Promise<HookResult> {
  const [file, ...args] = parseHookCommand(text);
  return new Promise((resolve) => {
    // A group of its own, so that what the hook started goes with it.
    const child = spawn(file, args, { stdio: ['ignore', 2, 2], env, detached: true });
    const onAbort = () => {
      if (child.pid !== undefined) {
        try {
          process.kill(-child.pid, 'SIGKILL');
        } catch {
          // it ended this moment
        }
      }
      resolve({ kind: 'cut-off' });
    };
    const finish = (result: HookResult) => {
      signal.removeEventListener('abort', onAbort);
      resolve(result);
    };
    child.once('error', (error) => finish({ kind: 'failed', error: error.message }));
    child.once('exit', (code, its) => finish({ kind: 'ended', code, signal: its }));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

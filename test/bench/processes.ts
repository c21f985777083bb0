// Child processes of a test: output is kept, waiting is for a line or the exit, and whatever still runs when the test
// process ends is killed by its id. Each child leads its own process group, so that its own children go with it then.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { until } from './wait.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** How messages call it; default the command. */
  readonly name?: string;
}

export interface Running extends AsyncDisposable {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  /** The exit, or undefined while it runs. */
  exit(): Exit | undefined;
  /** Everything that was written to stdout and stderr so far. */
  output(): string;
  /** What was written to stdout alone. */
  stdout(): string;
  /** Resolves with the first whole line, of what was or will be written, that matches. */
  waitForLine(pattern: RegExp, deadlineMs?: number): Promise<string>;
  /** Sends a signal and does not wait. False when it is gone already. */
  signal(signal: NodeJS.Signals): boolean;
  /** SIGKILL to it and all its descendants; resolves when none is left. */
  killAll(): Promise<Exit>;
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when it is gone. */
  stop(graceMs?: number): Promise<Exit>;
}

const live = new Set<ChildProcess>();
let guarded = false;

/** Starts `command`; rejects when it cannot be executed. The environment is this process's own plus `env`. */
export async function startProcess(
  command: string,
  args: readonly string[],
  { env = {}, cwd, name = command }: StartOptions = {},
): Promise<Running> {
  endAllWithThisProcess();
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const chunks: { readonly isError: boolean; readonly text: string }[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => chunks.push({ isError: stream === child.stderr, text }));
  }
  const output = () => chunks.map(({ text }) => text).join('');
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => reject(new Error(`cannot start ${name}: ${cause.message}`, { cause })));
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} has no process id`);
  live.add(child);
  let exit: Exit | undefined;
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      live.delete(child);
      const result = { code, signal };
      exit = result;
      // 'close' comes after the last output, and not while a child of the child holds the pipe.
      const timer = setTimeout(() => resolve(result), 1000);
      child.once('close', () => {
        clearTimeout(timer);
        resolve(result);
      });
    });
  });
  let isAllWritten = false;
  void exited.then(() => {
    isAllWritten = true;
  });
  const stop = async (graceMs = 5000) => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    const result = await exited;
    clearTimeout(timer);
    return result;
  };
  return {
    pid,
    exited,
    exit: () => exit,
    output,
    stdout: () => chunks.map(({ isError, text }) => (isError ? '' : text)).join(''),
    waitForLine: async (pattern, deadlineMs = 10_000) => {
      const what = `${name} writes a line that matches ${pattern}`;
      await until(() => lineOf(output(), pattern) !== undefined || isAllWritten, { what, deadlineMs }).catch(
        (cause: unknown) => {
          throw new Error(`not within ${deadlineMs} ms: ${what}; it wrote:\n${output()}`, { cause });
        },
      );
      const line = lineOf(output(), pattern);
      if (line !== undefined) return line;
      throw new Error(`${name} ended (${exit?.signal ?? exit?.code}) and wrote:\n${output()}`);
    },
    signal: (signal) => exit === undefined && child.kill(signal),
    killAll: async () => {
      killGroup(child);
      await until(() => !isGroupAlive(pid), { what: `${name} and its children are gone` });
      return exited;
    },
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}

export interface RunOptions extends StartOptions {
  /** Default 60,000. */
  readonly deadlineMs?: number;
  /** Return stderr too. Default false. */
  readonly withErrors?: boolean;
}

/** Runs `command` to its end and returns what it wrote to stdout; rejects, with all output, when the exit code is not 0. */
export async function runProcess(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { deadlineMs = 60_000, name = [command, ...args].join(' ') } = options;
  const running = await startProcess(command, args, { ...options, name });
  const timer = setTimeout(() => running.signal('SIGKILL'), deadlineMs);
  const started = performance.now();
  const { code, signal } = await running.exited;
  clearTimeout(timer);
  if (code === 0) return options.withErrors === true ? running.output() : running.stdout();
  const end =
    signal === null ? `exit code ${code}` : `${signal} after ${Math.round(performance.now() - started)} ms`;
  throw new Error(`${name}: ${end}\n${running.output().slice(-4000)}`);
}

/** Sends a signal to a process and all its descendants, parents first; those that have just ended are passed over. */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    return;
  }
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  for (const child of pids.filter((each) => statOf(each)?.parent === pid)) signalTree(child, signal);
}

/** True while a process with this id runs. */
export function isAlive(pid: number): boolean {
  return statOf(pid) !== undefined;
}

function isGroupAlive(leader: number): boolean {
  return readdirSync('/proc').some((name) => /^\d+$/.test(name) && statOf(Number(name))?.group === leader);
}

/** Undefined also for a zombie: it has ended, however long its parent takes to notice. */
function statOf(pid: number): { readonly group: number; readonly parent: number } | undefined {
  try {
    // pid (command) state parent group …; the command may hold spaces and parentheses.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : { group: Number(group), parent: Number(parent) };
  } catch {
    return undefined;
  }
}

function lineOf(text: string, pattern: RegExp): string | undefined {
  return text
    .split('\n')
    .slice(0, -1)
    .find((line) => pattern.test(line));
}

function endAllWithThisProcess(): void {
  if (guarded) return;
  guarded = true;
  process.on('exit', () => {
    for (const child of live) killGroup(child);
  });
  // Without a handler a signal ends Node at once, with no 'exit' event and so with the children left behind.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}

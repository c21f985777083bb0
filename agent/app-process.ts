// The app as a child process: its standard streams are its own, signals reach it, its end is reported once.
import { type ChildProcess, spawn } from 'node:child_process';
import { BerthError } from '../shared/errors.ts';
import { signalExitCode } from './signals.ts';
import { childrenOf } from './surroundings.ts';

export type AppExit = { kind: 'code'; code: number } | { kind: 'signal'; signal: NodeJS.Signals };

/** The exit code of the agent for an app that ended so. */
export function exitCodeOf(exit: AppExit): number {
  return exit.kind === 'code' ? exit.code : signalExitCode(exit.signal);
}

function startError(command: string, error: NodeJS.ErrnoException): BerthError {
  if (error.code === 'ENOENT') {
    return new BerthError('app.not-found', `the command ${JSON.stringify(command)} was not found`, {
      hint: 'is it in the image and in PATH, and does the interpreter in its first line exist?',
      cause: error,
    });
  }
  const why = error.code === 'EACCES' ? 'is not executable' : `cannot be started: ${error.message}`;
  return new BerthError('app.not-executable', `the command ${JSON.stringify(command)} ${why}`, {
    hint: 'does it have the x bit, and is it built for this machine?',
    cause: error,
  });
}

export interface AppStart {
  /** What the user wrote, for messages. */
  command: string;
  file: string;
  args: readonly string[];
  env: Record<string, string>;
  /** A session and process group of its own, and signals to the whole group. */
  group: boolean;
  /** What is started is tini, and the app is its child. */
  underTini: boolean;
}

export class AppProcess {
  readonly pid: number;
  readonly exited: Promise<AppExit>;
  readonly #child: ChildProcess;
  readonly #group: boolean;
  readonly #underTini: boolean;
  #ended = false;

  /** @throws BerthError `app.not-found` (127), `app.not-executable` (126) */
  static async start(start: AppStart): Promise<AppProcess> {
    const child = spawnApp(start);
    const { pid } = child;
    if (pid === undefined) {
      const error = await new Promise<Error>((resolve) => child.once('error', resolve));
      throw startError(start.command, error);
    }
    return new AppProcess(child, pid, start);
  }

  private constructor(child: ChildProcess, pid: number, { group, underTini }: AppStart) {
    this.pid = pid;
    this.#child = child;
    this.#group = group;
    this.#underTini = underTini;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#ended = true;
        resolve(signal === null ? { kind: 'code', code: code ?? 0 } : { kind: 'signal', signal });
      });
    });
  }

  /** Sends `signal` to the app, or to its group; nothing when it has ended. */
  send(signal: NodeJS.Signals): void {
    if (this.#ended) return;
    // tini passes on what it can, and ends with its child. Killed, it would leave the app behind.
    const behind = this.#underTini && signal === 'SIGKILL' ? childrenOf(this.pid) : [];
    for (const pid of behind) kill(this.#group ? -pid : pid, signal);
    if (behind.length > 0) return;
    if (this.#group) kill(-this.pid, signal);
    else this.#child.kill(signal);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: it ended this moment, and its end is on the way
  }
}

function spawnApp(start: AppStart): ChildProcess {
  try {
    return spawn(start.file, start.args, { stdio: 'inherit', env: start.env, detached: start.group });
  } catch (error) {
    // ENOENT and its like come as an event; what Node refuses beforehand (a NUL in a word) is thrown
    throw new BerthError(
      'app.not-executable',
      `the command ${JSON.stringify(start.command)} cannot be started`,
      {
        cause: error,
      },
    );
  }
}

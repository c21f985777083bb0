// Where the agent finds itself: what Linux tells of it under /proc, and what is wrong there, with the mend. Reading is
// best effort: without /proc nothing is known and nothing is said.
import { readdirSync, readFileSync } from 'node:fs';

export interface Surroundings {
  pid: number;
  parentPid: number;
  /** The name of process 1, such as `tini` or `sh`. */
  initName: string | undefined;
  /** In the foreground group of a terminal. */
  atTerminal: boolean;
  /** Soft limits of open files: Node raises its own to the hard limit when it starts, the parent still has what was given. */
  openFiles: { own: number; parent: number } | undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // another system, or a hidden /proc
  }
}

/** The soft limit of open files in the text of /proc/PID/limits. */
export function parseOpenFiles(limits: string | undefined): number | undefined {
  const match = /^Max open files\s+(\d+)\s/m.exec(limits ?? '');
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

export function readSurroundings(): Surroundings {
  const { pid, ppid } = process;
  const own = parseOpenFiles(read('/proc/self/limits'));
  const parent = ppid === 0 ? undefined : parseOpenFiles(read(`/proc/${ppid}/limits`));
  return {
    pid,
    parentPid: ppid,
    initName: read('/proc/1/comm')?.trim(),
    atTerminal: isAtTerminal(),
    openFiles: own === undefined || parent === undefined ? undefined : { own, parent },
  };
}

/** After the name in /proc/PID/stat, which may hold anything up to the last `)`: state, parent, group, session, terminal, foreground. */
function fieldsOf(stat: string | undefined): string[] {
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
}

export function childrenOf(pid: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((each) => fieldsOf(read(`/proc/${each}/stat`))[1] === String(pid)).map(Number);
}

/** True when keys typed at the terminal reach this process: it is in the foreground group of its terminal. */
export function isAtTerminal(stat: string | undefined = read('/proc/self/stat')): boolean {
  const fields = fieldsOf(stat);
  return fields.length > 5 && fields[4] !== '0' && fields[2] === fields[5];
}

const shells: ReadonlySet<string> = new Set(['sh', 'bash', 'ash', 'dash', 'busybox', 'zsh', 'ksh']);

/** What is wrong here, one line each, with the mend. */
export function adviseOn(here: Surroundings): string[] {
  if (here.pid === 1) {
    return [
      'the agent is process 1 without an init, so processes that lose their parent are never reaped: start the container with `docker run --init` (`init: true` in Compose), or put tini before node in the entrypoint',
    ];
  }
  if (here.parentPid === 1 && here.initName !== undefined && shells.has(here.initName)) {
    return [
      `process 1 is ${here.initName}, which passes no signals on, so the app will be killed instead of stopped: write the entrypoint as a JSON list, or put \`exec\` before node`,
    ];
  }
  return [];
}

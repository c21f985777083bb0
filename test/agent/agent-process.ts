// The agent as a child process of a test, and what it wrote to its log.
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Running, startProcess } from '../bench/processes.ts';
import { until } from '../bench/wait.ts';
import { agentBundle } from './agent-bundle.ts';

/** One line of the agent's log. */
export interface LogLine {
  level: string;
  event: string;
  msg: string;
  [field: string]: unknown;
}

export interface Agent extends Running {
  /** The log so far. */
  log(): LogLine[];
  /** Resolves with the first line of the log, already there or to come, with this event. */
  event(event: string, deadlineMs?: number): Promise<LogLine>;
}

/** What an agent needs at least; nothing listens at this HAProxy. */
export const leastEnvironment = {
  HAPROXY_SERVER: '127.0.0.1:1',
  NODE_COUNT: '3',
  BERTH_APP_PORT: '9',
} as const;

const stateDirectory = mkdtempSync(join(tmpdir(), 'berth-agent-'));

/** Starts `node agent.cjs ARGS…`. */
export async function startAgent(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Agent> {
  const running = await startProcess(process.execPath, [await agentBundle(), ...args], {
    env: { BERTH_STATE_DIR: stateDirectory, ...leastEnvironment, ...env },
    name: 'agent',
  });
  return withLog(running);
}

export function withLog(running: Running): Agent {
  const log = () => parseLog(running.output());
  return {
    ...running,
    log,
    event: (event, deadlineMs = 15_000) =>
      until(() => log().find((line) => line.event === event), {
        what: `the agent logs ${event}; it wrote:\n${running.output()}`,
        deadlineMs,
      }),
  };
}

/** The agent's lines among what it and the app wrote. */
export function parseLog(output: string): LogLine[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{"level":'))
    .map((line): LogLine => JSON.parse(line));
}

/** The process that does the work of an agent with BERTH_ON_AGENT_EXIT=keep. */
export async function workerOf(pid: number): Promise<number> {
  return until(
    () => {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        .trim()
        .split(' ')
        .map(Number);
      return children.find((child) => {
        const words = readFileSync(`/proc/${child}/cmdline`, 'utf8').split('\0');
        return words.includes('guarded');
      });
    },
    { what: `process ${pid} has a working half` },
  );
}

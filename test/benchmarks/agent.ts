// What the agent costs: time from exec to a ready slot, time added to a command, size. Its memory: agent-memory.ts.
// The floor is bare Node: a process that does nothing, started and measured in the same way, in turn.

import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { agentBundle, memoryFlags } from '../agent/agent-bundle.ts';
import { agentExecutable } from '../agent/agent-executable.ts';
import { startApp } from '../bench/app.ts';
import { startHaproxy } from '../bench/haproxy.ts';
import { startProcess } from '../bench/processes.ts';
import { freePort, until } from '../bench/wait.ts';
import { median, type Row, row } from './row.ts';

const runs = 15;

async function run(): Promise<Row[]> {
  const bundle = await agentBundle();
  const text = await readFile(bundle);
  return [
    ...(await startTimes(bundle)),
    ...(await readyTimes(bundle)),
    row('agent.cjs', (await stat(bundle)).size / 1000, 'KB', undefined, {
      text: 'at most 150 KB',
      met: text.length <= 150_000,
    }),
    row('agent.cjs, gzip', gzipSync(text).length / 1000, 'KB', undefined, {
      text: 'at most 45 KB',
      met: gzipSync(text).length <= 45_000,
    }),
  ];
}

/** Milliseconds from exec to exit. */
function timeOf(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  command = process.execPath,
): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'ignore', env: { ...process.env, ...env } });
    child.once('error', reject);
    child.once('exit', () => resolve(performance.now() - started));
  });
}

async function inTurn(...measures: readonly (() => Promise<number>)[]): Promise<number[]> {
  const values: number[][] = measures.map(() => []);
  for (let index = 0; index <= runs; index += 1) {
    for (const [which, measure] of measures.entries()) {
      const value = await measure();
      if (index > 0) values[which]?.push(value); // the first one warms the page cache
    }
  }
  return values.map(median);
}

async function startTimes(bundle: string): Promise<Row[]> {
  const env = {
    HAPROXY_SERVER: `127.0.0.1:${await freePort()}`,
    NODE_COUNT: '1',
    PORT: '9',
    BERTH_LOG_LEVEL: 'silent',
  };
  const executable = await agentExecutable();
  const [agent = 0, flagged = 0, single = 0, bare = 0] = await inTurn(
    () => timeOf([bundle, '--version'], env),
    () => timeOf([...memoryFlags, bundle, '--version'], env),
    () => timeOf(['--version'], env, executable),
    () => timeOf(['-e', '0']),
  );
  const rowOf = (what: string, value: number) =>
    row(
      `agent${what}: exec to exit of --version`,
      value,
      'ms',
      { what: 'node -e 0', value: bare },
      { text: 'at most 1.5 x', met: value <= 1.5 * bare },
    );
  return [
    rowOf('', agent),
    rowOf(' with the flags of the entrypoints', flagged),
    rowOf(' as single executable', single),
    row('berth-agent, the single executable', (await stat(executable)).size / 1e6, 'MB', {
      what: 'node',
      value: (await stat(process.execPath)).size / 1e6,
    }),
  ];
}

/** A sidecar beside an app that answers already: from exec until HAProxy has it in rotation. */
async function readyTimes(bundle: string): Promise<Row[]> {
  await using haproxy = await startHaproxy({ version: '3.2', config: { slots: 100 } });
  await using app = await startApp();
  const env = {
    HAPROXY_SERVER: '127.0.0.1',
    HAPROXY_PORT: String(haproxy.cliPort),
    NODE_COUNT: '100',
    BERTH_APP_PORT: String(app.port),
    BERTH_LOG_LEVEL: 'silent',
    BERTH_STATE_DIR: haproxy.folder,
  };
  const isReady = async () =>
    (await haproxy.cli('show stat'))
      .split('\n')
      .some(
        (line) => /^app,node\d+,/.test(line) && line.includes(`,127.0.0.1:${app.port},`) && /,UP/.test(line),
      );
  const ready = async (command: string, args: readonly string[]) => {
    const started = performance.now();
    const agent = await startProcess(command, args, { env });
    await until(isReady, { what: 'the slot is ready', everyMs: 1 });
    const took = performance.now() - started;
    await agent.stop();
    return took;
  };
  const executable = await agentExecutable();
  const [agent = 0, flagged = 0, single = 0, bare = 0] = await inTurn(
    () => ready(process.execPath, [bundle]),
    () => ready(process.execPath, [...memoryFlags, bundle]),
    () => ready(executable, []),
    () => timeOf(['-e', '0']),
  );
  const floor = { what: 'node -e 0', value: bare };
  return [
    row('agent: exec to a ready slot', agent, 'ms', floor),
    row('agent with the flags of the entrypoints: exec to a ready slot', flagged, 'ms', floor),
    row('agent as single executable: exec to a ready slot', single, 'ms', floor),
  ];
}

export const benchmark = { name: 'agent', run };

// What the agent costs: time from exec to a ready slot, time added to a command, memory of its own, size in an image.
// The floor is bare Node: a process that does nothing, started and measured in the same way, in turn.

import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { agentBundle } from '../agent/agent-bundle.ts';
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
    await readyTime(bundle),
    await memory(bundle),
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
function timeOf(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: 'ignore', env: { ...process.env, ...env } });
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
  const [agent = 0, bare = 0] = await inTurn(
    () => timeOf([bundle, '--version'], env),
    () => timeOf(['-e', '0']),
  );
  return [
    row(
      'agent: exec to exit of --version',
      agent,
      'ms',
      { what: 'node -e 0', value: bare },
      { text: 'at most 1.5 x', met: agent <= 1.5 * bare },
    ),
  ];
}

/** A sidecar beside an app that answers already: from exec until HAProxy has it in rotation. */
async function readyTime(bundle: string): Promise<Row> {
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
  const ready = async () => {
    const started = performance.now();
    const agent = await startProcess(process.execPath, [bundle], { env });
    await until(isReady, { what: 'the slot is ready', everyMs: 1 });
    const took = performance.now() - started;
    await agent.stop();
    return took;
  };
  const [agent = 0, bare = 0] = await inTurn(ready, () => timeOf(['-e', '0']));
  return row('agent: exec to a ready slot', agent, 'ms', { what: 'node -e 0', value: bare });
}

/** Private memory in MB, from the kernel. */
async function privateMegabytes(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)].reduce(
    (sum, match) => sum + Number(match[1]),
    0,
  );
  return kilobytes / 1024;
}

async function memory(bundle: string): Promise<Row> {
  await using haproxy = await startHaproxy({ version: '3.2', config: { slots: 10 } });
  await using app = await startApp();
  const env = {
    HAPROXY_SERVER: '127.0.0.1',
    HAPROXY_PORT: String(haproxy.cliPort),
    NODE_COUNT: '10',
    BERTH_APP_PORT: String(app.port),
    BERTH_STATE_DIR: haproxy.folder,
  };
  await using agent = await startProcess(process.execPath, [bundle], { env });
  await using bare = await startProcess(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await agent.waitForLine(/slot\.ready/);
  // Settled: what starting up has left behind is collected within some seconds.
  await delay(10_000);
  const [own, floor] = await Promise.all([privateMegabytes(agent.pid), privateMegabytes(bare.pid)]);
  return row(
    'agent: private memory, 10 s after its slot was ready',
    own,
    'MB',
    { what: 'bare node', value: floor },
    { text: 'at most 12 MB', met: own <= 12 },
  );
}

export const benchmark = { name: 'agent', run };

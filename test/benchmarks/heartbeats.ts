// Heartbeats of 5,000 agents: how many one core of the coordinator takes, and what an agent costs in memory. The load is
// a process of its own; a server's cost is its own CPU time, so that what else runs on the machine does not count.
// The floor is a bare `ws` server that parses the same messages. The coordinator is the whole program: with its
// database, its API, and an HAProxy of 100 slots that it looks at five times a second.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHaproxy } from '../bench/haproxy.ts';
import { type Running, startProcess } from '../bench/processes.ts';
import { until } from '../bench/wait.ts';
import { type Benchmark, median, type Row, row } from './row.ts';

const agents = 5000;
const roundsEach = 10;
const repetitions = 3;
const root = join(import.meta.dirname, '../..');
const clockTicks = 100; // of /proc/PID/stat, on every Linux that Node runs on

interface Measured {
  perCpuSecond: number;
  bytesPerAgent: number;
}

export const benchmark: Benchmark = {
  name: 'heartbeats',
  run: async (): Promise<Row[]> => {
    const floor = await measureFloor();
    const own = await measureCoordinator();
    const goal = { text: 'at least half of the floor', met: own.perCpuSecond >= floor.perCpuSecond / 2 };
    const server = 'a bare ws server that parses the same messages';
    return [
      row(
        `heartbeats of ${agents} agents that one core takes`,
        Math.round(own.perCpuSecond),
        'heartbeats/s',
        { what: server, value: Math.round(floor.perCpuSecond) },
        goal,
      ),
      row('memory of one connected agent in the coordinator', round(own.bytesPerAgent / 1024), 'KB', {
        what: server,
        value: round(floor.bytesPerAgent / 1024),
      }),
    ];
  },
};

const round = (value: number) => Math.round(value * 10) / 10;

async function measureFloor(): Promise<Measured> {
  const server = await startProcess(process.execPath, [join(root, 'test/coordinator/heartbeat-floor.ts')]);
  return measure(server);
}

async function measureCoordinator(): Promise<Measured> {
  await using haproxy = await startHaproxy({ config: { slots: 100 } });
  const folder = await mkdtemp(join(tmpdir(), 'berth-heartbeats-'));
  try {
    const env = {
      HAPROXY_SERVER: `${haproxy.address}:${haproxy.cliPort}`,
      BERTH_LISTEN: '127.0.0.1:0',
      BERTH_DATABASE: `sqlite:${join(folder, 'berth.db')}`,
    };
    return await measure(
      await startProcess(process.execPath, [join(root, 'coordinator/cli/main.ts'), 'serve'], { env }),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measure(server: Running): Promise<Measured> {
  const load = fork(join(root, 'test/coordinator/heartbeat-load.ts'), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  try {
    const line = await server.waitForLine(/listening on/);
    const address = /listening on ([\d.:]+)"/.exec(line)?.[1];
    const messages = () => readMessages(`http://${address}/metrics`);
    const before = await privateBytes(server.pid);
    await order(load, { open: agents, url: `ws://${address}/agent` });
    await order(load, { rounds: 2 });
    let sent = agents * 3;
    await until(async () => (await messages()) >= sent, {
      what: 'the first heartbeats',
      deadlineMs: 30_000,
      everyMs: 100,
    });
    const bytesPerAgent = ((await privateBytes(server.pid)) - before) / agents;
    const rates: number[] = [];
    for (let repetition = 0; repetition < repetitions; repetition += 1) {
      const cpuBefore = await cpuSeconds(server.pid);
      await order(load, { rounds: roundsEach });
      sent += agents * roundsEach;
      await until(async () => (await messages()) >= sent, {
        what: 'all heartbeats',
        deadlineMs: 30_000,
        everyMs: 50,
      });
      rates.push((agents * roundsEach) / ((await cpuSeconds(server.pid)) - cpuBefore));
    }
    return { perCpuSecond: median(rates), bytesPerAgent };
  } finally {
    load.disconnect();
    await server.stop();
  }
}

function order(load: ChildProcess, message: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the load did not end within 60 s')), 60_000);
    const ended = (code: number | null) => reject(new Error(`the load ended with ${code}`));
    load.once('exit', ended);
    load.once('message', () => {
      clearTimeout(timer);
      load.off('exit', ended);
      resolve();
    });
    load.send(message);
  });
}

async function readMessages(url: string): Promise<number> {
  const text = await (await fetch(url)).text();
  return Number(/^berth_agent_messages_total (\d+)/m.exec(text)?.[1]);
}

async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / clockTicks;
}

async function privateBytes(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = [...rollup.matchAll(/^Private_\w+: +(\d+) kB/gm)].map((match) => Number(match[1]));
  return kilobytes.reduce((sum, value) => sum + value, 0) * 1024;
}

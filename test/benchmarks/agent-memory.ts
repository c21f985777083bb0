// The agent's private memory, 10 s after its slot was ready, beside bare Node. Two of each run at a time, as on a host
// with two apps: the pages of Node's own file count as private while only one process has them. Given is the largest.
import { setTimeout as delay } from 'node:timers/promises';
import { agentBundle, memoryFlags } from '../agent/agent-bundle.ts';
import { agentExecutable } from '../agent/agent-executable.ts';
import { startCoordinator } from '../agent/coordinator.ts';
import { startApp } from '../bench/app.ts';
import { startHaproxy } from '../bench/haproxy.ts';
import { privateMegabytes } from '../bench/private-memory.ts';
import { type Running, startProcess } from '../bench/processes.ts';
import { type Row, row } from './row.ts';

const runs = 3;
const mostMegabytes = 12;

interface Variant {
  name: string;
  command: string;
  args: readonly string[];
}

async function run(): Promise<Row[]> {
  const bundle = await agentBundle();
  const variants: Variant[] = [
    {
      name: 'with the flags of the entrypoints',
      command: process.execPath,
      args: [...memoryFlags, bundle],
    },
    { name: 'node agent.cjs', command: process.execPath, args: [bundle] },
    { name: 'single executable', command: await agentExecutable(), args: [] },
  ];
  const rows: Row[] = [];
  for (const coordinated of [false, true]) {
    for (const variant of variants) {
      const most = { own: 0, bare: 0 };
      const seen: string[] = [];
      for (let index = 0; index < runs; index += 1) {
        const { own, bare } = await measure(variant, coordinated);
        seen.push(...own.map((value) => value.toFixed(1)));
        most.own = Math.max(most.own, ...own);
        most.bare = Math.max(most.bare, ...bare);
      }
      rows.push(
        row(
          `agent, ${coordinated ? 'with a coordinator' : 'alone'}, ${variant.name}: private memory, most of ${seen.join(' ')}`,
          most.own,
          'MB',
          { what: 'bare node', value: most.bare },
          { text: `at most ${mostMegabytes} MB`, met: most.own <= mostMegabytes },
        ),
      );
    }
  }
  return rows;
}

async function measure(
  { command, args }: Variant,
  coordinated: boolean,
): Promise<{ own: number[]; bare: number[] }> {
  await using haproxy = await startHaproxy({ version: '3.2', config: { slots: 10 } });
  // At the pace of a real one.
  await using coordinator = await startCoordinator({ heartbeatMs: 1000 });
  await using stack = new AsyncDisposableStack();
  const agents: Running[] = [];
  const bare: Running[] = [];
  for (let count = 0; count < 2; count += 1) {
    const app = stack.use(await startApp());
    const env = {
      HAPROXY_SERVER: '127.0.0.1',
      HAPROXY_PORT: String(haproxy.cliPort),
      NODE_COUNT: '10',
      BERTH_APP_PORT: String(app.port),
      BERTH_STATE_DIR: haproxy.folder,
      ...(coordinated ? { BERTH_COORDINATOR: coordinator.url } : {}),
    };
    const agent = stack.use(await startProcess(command, args, { env }));
    await agent.waitForLine(/slot\.ready/);
    agents.push(agent);
    bare.push(stack.use(await startProcess(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])));
  }
  // Settled: what starting up has left behind is collected within some seconds.
  await delay(10_000);
  const memoryOf = async (running: Running) => (await privateMegabytes(running.pid)).own;
  return {
    own: await Promise.all(agents.map(memoryOf)),
    bare: await Promise.all(bare.map(memoryOf)),
  };
}

export const benchmark = { name: 'agent-memory', run };

// Slots: a hundred agents that claim at once, and every slot back after HAProxy's restart. Time for the restart counts
// from the moment at which HAProxy's socket answers again, until the last slot is ready.
import type { AgentRecord } from '../../coordinator/agents/agent-record.ts';
import { SlotKeeper } from '../../coordinator/slots/slot-keeper.ts';
import { systemClock } from '../../shared/clock.ts';
import { claimSlot } from '../../shared/haproxy/claim.ts';
import { commands } from '../../shared/haproxy/commands.ts';
import type { Endpoint } from '../../shared/haproxy/endpoint.ts';
import { createRuntimeApi, type RuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { parseServersState } from '../../shared/haproxy/servers-state.ts';
import { isEnabled } from '../../shared/haproxy/slots.ts';
import { type Haproxy, startHaproxy } from '../bench/haproxy.ts';
import { until } from '../bench/wait.ts';
import { type Benchmark, median, type Row, row } from './row.ts';

const burst = 100;
const rounds = 5;
const silentLog = { debug() {}, info() {}, warn() {}, error() {} };

/** Loopback addresses, so that HAProxy's checks stay on this machine. */
const appOf = (index: number) => ({ address: `127.1.${index >> 8}.${index & 255}`, port: 8080 });
const slotOf = (index: number) => ({ backend: 'app', name: `node${index + 1}` });

export const benchmark: Benchmark = {
  name: 'slots',
  run: async () => [
    await claims(),
    await restart(100, { text: 'within 100 ms', ms: 100 }),
    await restart(1000, { text: 'within 500 ms', ms: 500 }),
  ],
};

async function claims(): Promise<Row> {
  await using haproxy = await startHaproxy({ config: { slots: burst } });
  const api = apiOf(haproxy);
  const values: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    values.push(
      await timed(() => Promise.all(Array.from({ length: burst }, (_, index) => claimOne(api, index)))),
    );
    await haproxy.restart();
    floors.push(
      await timed(async () => {
        for (let index = 0; index < burst; index += 1) {
          const { address, port } = appOf(index);
          await api.transact([commands.setAddress(slotOf(index), address, port)]);
        }
      }),
    );
    await haproxy.restart();
  }
  const floor = { what: `${burst} sequential \`set server\``, value: median(floors) };
  return row(`${burst} claims at once, each with a slot of its own`, median(values), 'ms', floor);
}

function claimOne(api: RuntimeApi, index: number): Promise<unknown> {
  const context = { api, place: { side: false }, clock: systemClock, random: Math.random };
  const template = { backend: 'app', prefix: 'node', count: burst };
  const wanted = { id: `agent-${index}`, preferred: undefined, state: 'ready' } as const;
  return claimSlot(context, template, appOf(index), wanted);
}

async function restart(count: number, goal: { text: string; ms: number }): Promise<Row> {
  await using haproxy = await startHaproxy({ config: { slots: count } });
  const api = apiOf(haproxy);
  const values: number[] = [];
  const floors: number[] = [];
  const stop = new AbortController();
  let repaired = 0;
  const keeper = new SlotKeeper({
    haproxys: [{ name: 'lb', host: haproxy.address, port: haproxy.cliPort }],
    slotPrefix: 'node',
    intervalMs: 250,
    registry: { list: () => records, onChange: () => () => undefined },
    audit: { record: async () => undefined },
    log: silentLog,
    clock: systemClock,
    onRepair: () => {
      repaired += 1;
    },
  });
  const records = Array.from({ length: count }, (_, index) => recordOf(index));
  const running = keeper.run(stop.signal);
  const allReady = async () => {
    const { replies } = await api.transact([commands.showServersState('app')]);
    const rows = replies.flatMap((reply) => parseServersState(reply));
    return (
      rows.length === count &&
      rows.every((each, index) => isEnabled(each) && each.address === appOf(index).address)
    );
  };
  await until(allReady, { what: `${count} slots are ready`, deadlineMs: 20_000 });
  for (let round = 0; round < rounds; round += 1) {
    await haproxy.kill();
    await until(() => keeper.haproxys()[0]?.reachable === false, { what: 'HAProxy is missed' });
    repaired = 0;
    const answers = firstAnswer(api);
    await haproxy.start();
    const from = await answers;
    await until(() => repaired >= count, {
      what: `${count} slots are written`,
      deadlineMs: 20_000,
      everyMs: 1,
    });
    values.push(performance.now() - from);
    if (!(await allReady())) throw new Error('slots were written and are not ready');
  }
  stop.abort();
  await running;
  for (let round = 0; round < rounds; round += 1) {
    await haproxy.restart();
    const batch = Array.from({ length: count }, (_, index) => {
      const { address, port } = appOf(index);
      return [commands.setAddress(slotOf(index), address, port), commands.setState(slotOf(index), 'ready')];
    });
    floors.push(await timed(() => api.transact(batch.flat())));
  }
  const value = median(values);
  const floor = { what: 'the same commands in one batch', value: median(floors) };
  const what = `${count} slots back after HAProxy's restart`;
  return row(what, value, 'ms', floor, { text: goal.text, met: value <= goal.ms });
}

function recordOf(index: number): AgentRecord {
  const { backend, name } = slotOf(index);
  return {
    id: `agent-${index}`,
    service: 'app',
    container: undefined,
    hostname: undefined,
    connected: true,
    phase: 'ready',
    registrations: [{ haproxy: 'lb', backend, slot: name, ...appOf(index), state: 'ready' }],
    metrics: {},
    lastHeardAt: performance.now(),
    lostAt: undefined,
    goodbyeReason: undefined,
    firstSeen: Date.now(),
    lastSeen: Date.now(),
  };
}

/** When the Runtime API answers again. */
async function firstAnswer(api: RuntimeApi): Promise<number> {
  await until(() => api.transact([commands.showInfo()]), { what: 'HAProxy answers', everyMs: 1 });
  return performance.now();
}

function apiOf({ address, cliPort }: Haproxy): RuntimeApi {
  const endpoint: Endpoint = { name: 'lb', host: address, port: cliPort };
  return createRuntimeApi(endpoint, 10_000);
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await act();
  return performance.now() - started;
}

// What a round of the act loop costs: joining what Docker, the agents and HAProxy say of each container, and planning for
// each service, where nothing is to be done. 125, 250 and 500 services of two containers each, all of one backend, each
// with an agent and a policy. CPU time of this process; the engine is a fake in a process of its own with recorded
// answers, HAProxy's rows are made here. The floor is the bare read of as many containers: request and JSON.parse.
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentRegistry } from '../../coordinator/agents/registry.ts';
import { Audit } from '../../coordinator/audit/audit.ts';
import { AuditJournal } from '../../coordinator/audit/audit-journal.ts';
import { Acting } from '../../coordinator/services/acting.ts';
import { Scaling } from '../../coordinator/services/scaling.ts';
import { openStore } from '../../coordinator/store/store.ts';
import { systemClock as clock } from '../../shared/clock.ts';
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import { startProcess } from '../bench/processes.ts';
import { until } from '../bench/wait.ts';
import { type Benchmark, median, type Row, row } from './row.ts';

const sizes = [125, 250, 500];
const rounds = 25;
const log = { debug() {}, info() {}, warn() {}, error() {} };

interface Costs {
  /** CPU of one bare read of the listing. */
  bareMs: number;
  /** CPU of one round. */
  roundMs: number;
}

export const benchmark: Benchmark = {
  name: 'reconciling',
  run: async (): Promise<Row[]> => {
    const costs: Costs[] = [];
    for (const size of sizes) costs.push(await measure(size));
    return costs.flatMap(({ bareMs, roundMs }, index) => {
      const size = sizes[index] ?? 0;
      const what = `reconcile ${size} services, ${2 * size} containers, CPU of a round`;
      const rows = [row(what, roundMs, 'ms', { what: 'a bare read of the listing', value: bareMs })];
      const before = costs[index - 1];
      if (before === undefined) return rows;
      // Twice the services may cost twice as much, and what a machine's noise adds.
      const growth = roundMs / before.roundMs;
      const goal = { text: 'at most 2.5 times', met: growth <= 2.5 };
      const half = { what: 'half as many', value: before.roundMs };
      return [
        ...rows,
        row(`its growth from ${sizes[index - 1]} to ${size} services`, roundMs, 'ms', half, goal),
      ];
    });
  },
};

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

async function bareRead(socketPath: string): Promise<{ Id: string }[]> {
  const asking = request({ socketPath, path: '/containers/json?all=true', agent: false }).end();
  const [answer] = await once(asking, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

async function measure(services: number): Promise<Costs> {
  const program = join(import.meta.dirname, '../docker/fake-engine-process.ts');
  await using engine = await startProcess(process.execPath, [
    program,
    String(2 * services),
    String(services),
  ]);
  const socketPath = await engine.waitForLine(/docker\.sock$/);
  const folder = await mkdtemp(join(tmpdir(), 'berth-reconcile-'));
  const policyFile = join(folder, 'policies.yaml');
  await writeFile(policyFile, policiesFor(services));
  const store = await openStore({ kind: 'sqlite', path: ':memory:', name: 'none' });
  const audit = new Audit({ store, journal: new AuditJournal(join(folder, 'journal')), log, clock });
  await audit.open();
  const registry = new AgentRegistry({ audit: { record: async () => undefined }, log, clock });
  const bare: number[] = [];
  let ids: string[] = [];
  for (let count = 0; count < rounds; count += 1) {
    const before = process.cpuUsage();
    ids = (await bareRead(socketPath)).map(({ Id }) => Id);
    bare.push(cpuSince(before));
  }
  greetAll(registry, ids, services);
  // Each round asks once for HAProxy's rows.
  let round = 0;
  const rows = rowsFor(ids.length);
  const api = { transact: () => Promise.reject(new Error('nothing drains, so nobody asks for sessions')) };
  const haproxys = () => {
    round += 1;
    return [{ name: 'lb', api, rows }];
  };
  const acting = new Acting({
    endpoints: [{ name: 'fake', address: { socketPath }, tls: undefined, from: 'the benchmark' }],
    registry,
    store,
    audit,
    log,
    clock,
    policyOf: (service) => scaling.policyOf(service),
    alertRules: (service) => scaling.alertRules(service),
    loadAlerts: () => scaling.inbox.load(),
    haproxys,
    shares: { memory: 0.9, cpu: 1 },
  });
  const scaling: Scaling = new Scaling({
    policyFile,
    acting,
    registry,
    haproxys: () => [],
    store,
    audit,
    log,
    clock,
  });
  await scaling.policies.refresh();
  for (let index = 0; index < services; index += 1) acting.services.change(`web-${index}`, { wanted: 2 });
  const stop = new AbortController();
  const running = acting.run(stop.signal);
  await until(() => acting.loop.instances().size === services, {
    what: 'all services are known',
    deadlineMs: 30_000,
  });
  const cost: number[] = [];
  for (let count = 0; count < rounds; count += 1) {
    const [before, from] = [process.cpuUsage(), round];
    acting.loop.wake();
    await until(() => round > from, { what: 'a round', everyMs: 1 });
    cost.push(cpuSince(before));
  }
  const held = [...acting.loop.instances().keys()].flatMap((service) => acting.loop.plan(service));
  if (held.length > 0) throw new Error(`there was something to do: ${JSON.stringify(held[0])}`);
  stop.abort();
  await running;
  await audit.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
  return { bareMs: median(bare), roundMs: median(cost) };
}

const addressOf = (index: number): string => `10.1.${Math.floor(index / 250)}.${1 + (index % 250)}`;

/** An agent in each container, ready in a slot of the one backend. */
function greetAll(registry: AgentRegistry, ids: readonly string[], services: number): void {
  registry.restore([]);
  for (const [index, id] of ids.entries()) {
    const link = { tell: () => undefined, replace: () => undefined };
    const agent = `agent-${index}`;
    registry.greet(
      {
        type: 'hello',
        v: 1,
        agent,
        service: `web-${index % services}`,
        container: id,
        hostname: id.slice(0, 12),
      },
      link,
    );
    registry.beat(agent, link, {
      type: 'heartbeat',
      seq: 1,
      phase: 'ready',
      registrations: [
        {
          haproxy: 'lb',
          backend: 'app',
          slot: `node${index + 1}`,
          address: addressOf(index),
          port: 8080,
          state: 'ready',
        },
      ],
    });
  }
}

function rowsFor(count: number): ServerRow[] {
  return Array.from({ length: count }, (_, index) => ({
    backend: 'app',
    name: `node${index + 1}`,
    backendId: 4,
    serverId: index + 1,
    address: addressOf(index),
    port: 8080,
    operationalState: 2,
    adminState: 4,
    checkResult: 3,
    checkState: 6,
    templated: true,
    secondsSinceChange: 60,
  }));
}

function policiesFor(services: number): string {
  const policy = (index: number) =>
    `  - { name: p${index}, service: web-${index}, minReplicas: 1, maxReplicas: 9, metrics: [{ name: sessions, source: { type: haproxy, what: sessions }, target: { type: AverageValue, averageValue: 3 } }] }`;
  return `policies:\n${Array.from({ length: services }, (_, index) => policy(index)).join('\n')}\n`;
}

// The coordinator: puts the parts together, runs them, and takes them apart in order.
//
//   store ─► audit ─► registry ─► sessions ┐
//                        │                 ├─► HTTP server ─► listen
//                        └─► slot keeper ──┘
import { accessSync, constants, mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { systemClock } from '../shared/clock.ts';
import { BerthError, describeError } from '../shared/errors.ts';
import { formatHostPort } from '../shared/haproxy/endpoint.ts';
import type { Log } from '../shared/log.ts';
import { version } from '../shared/version.ts';
import { AgentSaver } from './agents/agent-saver.ts';
import { AgentRegistry } from './agents/registry.ts';
import { Sessions } from './agents/sessions.ts';
import { createApp } from './api/app.ts';
import { EventStreams } from './api/event-streams.ts';
import { Audit } from './audit/audit.ts';
import { AuditJournal } from './audit/audit-journal.ts';
import type { Config } from './config/read-config.ts';
import { maintain } from './maintenance.ts';
import { Metrics } from './metrics.ts';
import { Notifier } from './notices/notifier.ts';
import { checkReadiness } from './readiness.ts';
import { Acting } from './services/acting.ts';
import { dockerEndpoints, localEndpoint } from './services/docker-endpoints.ts';
import { faultBoundary } from './services/fault-boundary.ts';
import { Scaling } from './services/scaling.ts';
import { SlotKeeper } from './slots/slot-keeper.ts';
import { openStore } from './store/store.ts';

/** An idle connection, or a reader that takes nothing, is dropped after this. WebSockets have their own rule. */
const idleMs = 120_000;

/**
 * Runs until `signal` aborts, then ends in order. `listening` is told the address once it can be reached.
 * @throws BerthError `config.invalid` when the data folder or the address cannot be used
 */
export async function serve(
  config: Config,
  log: Log,
  signal: AbortSignal,
  listening: (address: string) => void = () => {},
): Promise<void> {
  prepareFolder(config);
  const clock = systemClock;
  const store = await openStore(config.database);
  const audit = new Audit({ store, journal: new AuditJournal(config.auditJournal), log, clock });
  await audit.open();
  const registry = new AgentRegistry({ audit, log, clock });
  const saver = new AgentSaver({ registry, store, log, clock, keepMs: config.agentKeepMs });
  await saver.load();
  const { token, agentToken, heartbeatMs, name } = config;
  const sessions = new Sessions({ registry, token, agentToken, heartbeatMs, name, log, clock });
  const metrics = new Metrics();
  const streams = new EventStreams({
    onRow: (listener) => audit.onRow(listener),
    slots: () => keeper.slots(),
  });
  const acting = new Acting({
    endpoints: await dockerEndpoints(config.dockerHosts ?? [], log),
    lookForDocker: () => localEndpoint(log),
    registry,
    store,
    audit,
    log,
    clock,
    policyOf: (service) => scaling.policyOf(service),
    alertRules: (service) => scaling.alertRules(service),
    loadAlerts: () => scaling.inbox.load(),
    haproxys: () => keeper.seen(),
    shares: { memory: config.memoryShare, cpu: config.cpuShare },
    boundary: faultBoundary(process.env),
  });
  const scaling: Scaling = new Scaling({
    policyFile: config.policyFile,
    acting,
    registry,
    haproxys: () => keeper.seen(),
    store,
    audit,
    log,
    clock,
  });
  await scaling.inbox.load();
  const notifier = new Notifier({ targets: config.notices ?? [], clock, log });
  audit.onRow((row) => notifier.notify(row));
  const keeper: SlotKeeper = new SlotKeeper({
    haproxys: config.haproxys,
    slotPrefix: config.slotPrefix,
    intervalMs: config.observeMs,
    registry: acting.agents,
    containerFate: (record) => acting.containerFate(record),
    prefixes: () => acting.prefixes(),
    audit,
    log,
    clock,
    onRound: (haproxy, ms, outcome) => {
      metrics.round(haproxy, ms, outcome);
      streams.slotsChanged(); // what somebody else changed shows in the next look only
    },
    onRepair: metrics.repaired,
  });
  metrics.watch({
    agents: () => registry.list(),
    slots: () => keeper.slots(),
    haproxys: () => keeper.haproxys(),
    sessions,
    auditStatus: () => audit.status(),
    databaseUp: () => store.failure === undefined,
    policyAges: () => scaling.ages(),
    services: () => acting.counts(),
    dockerHosts: () => acting.fleet.views(),
  });
  const readiness = () =>
    checkReadiness({
      databaseName: store.name,
      databaseFailure: store.failure,
      audit: audit.status(),
      haproxys: keeper.haproxys(),
      lastLooks: keeper.lastLooks(),
      observeMs: config.observeMs,
      now: clock.monotonic(),
      dockerHosts: acting.fleet.views(),
      stuckPolicies: scaling.stuckPolicies(),
    });
  const app = createApp({
    acting,
    scaling,
    inbox: scaling.inbox,
    alertSecrets: config.alertSecret === undefined ? [] : [config.alertSecret],
    token,
    metricsOpen: config.metricsOpen,
    registry,
    slots: keeper,
    audit,
    readiness,
    metrics: () => metrics.text(),
    streams,
    log,
    clock,
  });
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 10_000,
      connectionsCheckingInterval: 5000,
    },
    getRequestListener(app.fetch),
  );
  server.timeout = idleMs;
  sessions.attach(server);

  const loops = new AbortController();
  const running = [
    keeper.run(loops.signal),
    sessions.run(loops.signal),
    acting.run(loops.signal),
    scaling.run(loops.signal),
    saver.run(loops.signal),
    maintain({ store, audit, auditKeepMs: config.auditKeepMs, log, clock }, loops.signal),
  ];
  try {
    const address = await listen(server, config);
    log.info(
      { event: 'coordinator.started', version, address, database: store.name },
      `listening on ${address}`,
    );
    audit.record({
      event: 'coordinator.started',
      actor: 'coordinator',
      reason: `version ${version}`,
      outcome: 'ok',
      host: name,
    });
    listening(address);
    await aborted(signal);
    log.info({ event: 'coordinator.stopping', reason: describeError(signal.reason) }, 'stopping');
    audit.record({
      event: 'coordinator.stopped',
      actor: 'coordinator',
      reason: describeError(signal.reason),
      outcome: 'ok',
      host: name,
    });
  } finally {
    const closed = new Promise((resolve) => server.close(resolve));
    streams.close();
    await sessions.close();
    loops.abort();
    await Promise.all(running);
    await saver.save();
    await notifier.close();
    await audit.close();
    await store.close();
    server.closeAllConnections();
    await closed;
  }
}

/** SQLite makes its file, but says only "unable to open" when it cannot; here it is said why. */
function prepareFolder({ database }: Config): void {
  if (database.kind !== 'sqlite' || database.path === ':memory:') return;
  const folder = dirname(database.path);
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new BerthError(
      'config.invalid',
      `BERTH_DATABASE is ${database.name}, and ${folder} cannot be written: ${describeError(error)}`,
      {
        hint: `mount a volume there that this user (${process.getuid?.()}) may write, or set BERTH_DATABASE=sqlite:./berth.db`,
        cause: error,
      },
    );
  }
}

async function listen(server: Server, { bind }: Config): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: bind.host, port: bind.port }, resolve);
  try {
    await promise;
  } catch (error) {
    throw new BerthError(
      'config.invalid',
      `BERTH_LISTEN: ${formatHostPort(bind.host, bind.port)} cannot be listened on: ${describeError(error)}`,
      {
        hint: 'does another program listen there? choose another port',
        cause: error,
      },
    );
  }
  const { address, port } = server.address() as AddressInfo;
  return formatHostPort(address, port);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

// Writes docs/openapi.json and docs/configuration.md from the routes and the table of options; a test compares them
// with what is committed.
//
//   node coordinator/api/generate.ts
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../shared/clock.ts';
import { AgentRegistry } from '../agents/registry.ts';
import { Audit } from '../audit/audit.ts';
import { AuditJournal } from '../audit/audit-journal.ts';
import { formatReference } from '../config/reference.ts';
import { formatJson } from '../policy/format-json.ts';
import { Acting } from '../services/acting.ts';
import { noNodeWishes } from '../services/node-wishes.ts';
import { Scaling } from '../services/scaling.ts';
import { openStore } from '../store/store.ts';
import { createApp } from './app.ts';
import { EventStreams } from './event-streams.ts';

/** What is generated, by path from the root of the project. */
export async function generated(): Promise<Readonly<Record<string, string>>> {
  return {
    'docs/openapi.json': `${formatJson(await readDocument())}\n`,
    'docs/configuration.md': formatReference(),
  };
}

/** The document as the API itself gives it. Nothing behind the routes is opened for that. */
async function readDocument(): Promise<unknown> {
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const store = await openStore({ kind: 'sqlite', path: ':memory:', name: 'none' });
  const audit = new Audit({ store, journal: new AuditJournal('none'), log, clock: systemClock });
  const slots = { slots: () => [], haproxys: () => [] };
  const registry = new AgentRegistry({ audit, log, clock: systemClock });
  const haproxys = (): never => {
    throw new Error('nothing runs here');
  };
  const clock = systemClock;
  const acting = new Acting({
    endpoints: [],
    registry,
    store,
    audit,
    log,
    clock,
    policyOf: () => undefined,
    alertRules: () => ({ nodes: noNodeWishes }),
    loadAlerts: () => Promise.resolve(true),
    haproxys,
  });
  const scaling = new Scaling({
    policyFile: undefined,
    acting,
    registry,
    haproxys,
    store,
    audit,
    log,
    clock,
  });
  const app = createApp({
    acting,
    scaling,
    inbox: scaling.inbox,
    alertSecrets: [],
    token: undefined,
    metricsOpen: false,
    registry,
    slots,
    audit,
    readiness: () => [],
    metrics: async () => '',
    streams: new EventStreams({ onRow: (listener) => audit.onRow(listener), slots: slots.slots }),
    log,
    clock,
  });
  const response = await app.request('http://localhost/openapi.json', { headers: { host: 'localhost' } });
  return response.json();
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '../..');
  mkdirSync(join(root, 'docs'), { recursive: true });
  for (const [path, text] of Object.entries(await generated())) writeFileSync(join(root, path), text);
}

// What a policy remembers: written in one transaction with the audit row of a decision, read again after a restart, and
// caught up on when the database was away.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Audit } from '../../coordinator/audit/audit.ts';
import { AuditJournal } from '../../coordinator/audit/audit-journal.ts';
import { decide } from '../../coordinator/decide/decide.ts';
import type { Observations } from '../../coordinator/decide/observation.ts';
import { emptyState } from '../../coordinator/decide/state.ts';
import { admitPolicy } from '../../coordinator/policy/admit.ts';
import { checkReadiness } from '../../coordinator/readiness.ts';
import { DecisionLog } from '../../coordinator/services/decision-log.ts';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore, type Store } from '../../coordinator/store/store.ts';
import { unknownSize } from '../../coordinator/targets/docker/host-size.ts';
import { systemClock } from '../../shared/clock.ts';
import { until } from '../bench/wait.ts';
import { takesOverPolicyStates } from './policy-memory.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };
const [admitted] = admitPolicy(
  {
    name: 'web',
    maxReplicas: 9,
    metrics: [
      {
        name: 'load',
        source: { type: 'pushed', metric: 'load' },
        target: { type: 'AverageValue', averageValue: 10 },
      },
    ],
  },
  'test',
).admitted;
const observations: Observations = {
  target: { ok: true, wanted: 1 },
  instances: [{ id: 'a', phase: 'running', ready: true, startAgeMs: 600_000, readyChangedAgeMs: 600_000 }],
  readings: { load: { ok: true, shape: 'total', value: 35, ageMs: 0 } },
};

function decision() {
  assert.ok(admitted);
  return decide(admitted.policy, emptyState, observations, { wallMs: 1e12, monoMs: 1000, run: 'one' });
}

describe('what a policy remembers', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-decisions-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function open(name: string) {
    const database = parseDatabaseUrl(`sqlite:${join(folder, `${name}.db`)}`);
    assert.ok(database);
    const store = await openStore(database);
    const audit = new Audit({
      store,
      journal: new AuditJournal(join(folder, `${name}.jsonl`)),
      log,
      clock: systemClock,
    });
    await audit.open();
    return { store, audit, decisions: new DecisionLog({ store, audit, log, clock: systemClock }) };
  }

  const entry = {
    event: 'scale.decided',
    actor: 'policy web',
    reason: 'test',
    outcome: 'ok',
    service: 'web',
  } as const;

  test('is there together with the row of the decision, and after a restart', async () => {
    const first = await open('together');
    const { decision: decided, state } = decision();
    assert.equal(decided.action, 'up');
    first.decisions.note(state, decided.record, entry);
    await first.audit.flush();
    assert.equal((await first.audit.query({ event: 'scale.decided' }, undefined, 10)).items.length, 1);
    assert.deepEqual(await first.decisions.restore('web', 'web'), JSON.parse(JSON.stringify(state)));
    await first.audit.close();
    await first.store.close();

    const second = await open('together');
    const restored = await second.decisions.restore('web', 'web');
    assert.deepEqual(restored, JSON.parse(JSON.stringify(state)));
    assert.equal(restored?.ups.length, 1, 'the step up still counts against the rate');
    await second.audit.close();
    await second.store.close();
  });

  test('is that of each service by itself, where two share a policy, and what its metrics remember is forgotten when told so', async () => {
    const first = await open('shared');
    const { decision: decided, state } = decision();
    for (const [service, wanted] of [
      ['web', 4],
      ['shop', 7],
    ] as const)
      first.decisions.note({ ...state, wanted }, { ...decided.record, service }, undefined);
    await first.decisions.save();
    await first.audit.close();
    await first.store.close();

    const { decisions, audit, store } = await open('shared');
    assert.equal((await decisions.restore('web', 'web'))?.wanted, 4);
    assert.equal((await decisions.restore('shop', 'web'))?.wanted, 7);
    assert.equal(await decisions.restore('web', 'another policy'), undefined);
    const metrics = { alerts: { alerts: { a: { base: 2, at: 0 } } } };
    decisions.note({ ...state, metrics }, { ...decided.record, service: 'shop' }, undefined);
    decisions.forgetMetrics('shop', { ...state, metrics });
    const forgotten = JSON.parse(JSON.stringify({ ...state, metrics: {} }));
    assert.deepEqual(await decisions.restore('shop', 'web'), { ...state, metrics: {} });
    await decisions.save();
    assert.deepEqual(await decisions.restore('shop', 'web'), forgotten, 'and the steps still count');
    assert.equal((await decisions.restore('web', 'web'))?.wanted, 4);
    await audit.close();
    await store.close();
  });

  test('takes over what earlier versions stored', () =>
    takesOverPolicyStates(`sqlite:${join(folder, 'earlier.db')}`));

  test('changes stay known however many rows say that nothing is new, or that it is held for another reason', async () => {
    const { decisions, audit, store } = await open('quiet');
    const { decision: decided, state } = decision();
    const { record } = decided;
    const held = (reason: typeof record.outcome.reason) => ({
      ...record,
      outcome: { ...record.outcome, action: 'none' as const, from: record.outcome.to, reason },
    });
    decisions.note(state, record, entry);
    for (let row = 0; row < 100; row += 1) decisions.note(state, held('WithinTolerance'), entry);
    const actions = () => decisions.changes('web').map((each) => each.record.outcome.action);
    assert.deepEqual(actions(), ['none', 'up']);
    for (let row = 0; row < 200; row += 1)
      decisions.note(state, held(row % 2 === 0 ? 'Stabilized' : 'WithinTolerance'), entry);
    assert.equal(actions().at(-1), 'up');
    assert.equal(actions().length, 21);
    await audit.close();
    await store.close();
  });

  test('neither is written when one of them cannot be: the row waits in the journal, the state is caught up on', async () => {
    const { store, audit, decisions } = await open('away');
    const { decision: decided, state } = decision();
    await store.use((db) => db.schema.alterTable('policy_memory').renameTo('hidden').execute());
    decisions.note(state, decided.record, entry);
    await audit.flush();
    assert.equal(await rowsIn(store), 0, 'the row did not go in without the state');
    assert.ok(audit.status().journalledBytes > 0);
    await store.use((db) => db.schema.alterTable('hidden').renameTo('policy_memory').execute());
    await until(async () => (await rowsIn(store)) === 1, { what: 'the row is taken from the journal' });
    await decisions.save();
    assert.deepEqual(await decisions.restore('web', 'web'), JSON.parse(JSON.stringify(state)));
    await audit.close();
    await store.close();
  });
});

async function rowsIn(store: Store): Promise<number> {
  return (await store.use((db) => db.selectFrom('audit').select('id').execute())).length;
}

test('that there is no Docker Engine is told by /readyz, and is no fault', () => {
  const checks = checkReadiness({
    databaseName: 'sqlite',
    databaseFailure: undefined,
    audit: { queued: 0, journalledBytes: 0, lost: 0, reason: undefined },
    haproxys: [],
    lastLooks: new Map(),
    observeMs: 200,
    now: 0,
    dockerHosts: [],
    stuckPolicies: [],
  });
  const told = checks.find(({ name }) => name === 'docker');
  assert.equal(told?.ok, true);
  assert.match(told?.reason ?? '', /no Docker Engine was found.*looked for again/);
});

test('a policy whose loop hangs, and a Docker host that does not answer, are told by /readyz', () => {
  const error = { code: 'docker.unavailable', message: 'refused', hint: undefined } as const;
  const checks = checkReadiness({
    databaseName: 'sqlite',
    databaseFailure: undefined,
    audit: { queued: 0, journalledBytes: 0, lost: 0, reason: undefined },
    haproxys: [],
    lastLooks: new Map(),
    observeMs: 200,
    now: 0,
    dockerHosts: [
      { host: 'lab', known: false, since: 0, error, at: undefined, instances: [], size: unknownSize },
    ],
    stuckPolicies: [{ policy: 'web', ageMs: 61_000 }],
  });
  const bad = new Map(checks.filter(({ ok }) => !ok).map(({ name, reason }) => [name, reason]));
  assert.match(bad.get('policy web') ?? '', /last evaluated 61 s ago/);
  assert.match(bad.get('docker lab') ?? '', /nothing is started or stopped there: refused/);
});

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { AgentSaver } from '../../coordinator/agents/agent-saver.ts';
import { AgentRegistry } from '../../coordinator/agents/registry.ts';
import { Audit } from '../../coordinator/audit/audit.ts';
import type { AuditEntry, AuditRow } from '../../coordinator/audit/audit-entry.ts';
import { AuditJournal } from '../../coordinator/audit/audit-journal.ts';
import { checkDatabase } from '../../coordinator/cli/doctor/check-surroundings.ts';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore } from '../../coordinator/store/store.ts';
import { systemClock } from '../../shared/clock.ts';
import { isBerthError } from '../../shared/errors.ts';
import { startMariadb } from '../bench/mariadb.ts';
import { startPostgres } from '../bench/postgres.ts';
import { startSwallowingProxy } from '../bench/swallowing-proxy.ts';
import { takesOverPolicyStates } from '../services/policy-memory.ts';
import { temporaryFolder } from './coordinator-bench.ts';
import { eventually } from './eventually.ts';
import { memoryLog } from './memory-log.ts';

interface Server {
  urlWithPassword: string;
  kill(): Promise<void>;
  freeze(): void;
  sql(statements: string): Promise<string>;
  thaw(): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

// What these commit must survive the kill of the server, as it does with their own defaults.
const servers: Record<string, () => Promise<Server>> = {
  MariaDB: () => startMariadb({ args: ['--innodb-flush-log-at-trx-commit=1'] }),
  PostgreSQL: () => startPostgres({ args: ['-c', 'synchronous_commit=on'] }),
};

async function open(t: TestContext, url: string, folder: string, deadlineMs?: number) {
  const store = await openStore(parseDatabaseUrl(url), deadlineMs);
  const log = memoryLog();
  const clock = systemClock;
  const audit = new Audit({ store, journal: new AuditJournal(join(folder, 'journal.jsonl')), log, clock });
  await audit.open();
  const registry = new AgentRegistry({ audit, log, clock });
  const saver = new AgentSaver({ registry, store, log, clock, keepMs: 3_600_000 });
  t.after(async () => {
    await audit.close(100);
    await store.close();
  });
  return { store, audit, registry, saver };
}

async function allRows(audit: Audit, filter = {}): Promise<AuditRow[]> {
  const rows: AuditRow[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await audit.query(filter, cursor, 70, 'asc');
    rows.push(...page.items);
    if (page.next === undefined) return rows;
    cursor = page.next;
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const entry = (service: string, value: number): AuditEntry => ({
  event: 'slot.repaired',
  actor: 'coordinator',
  outcome: 'ok',
  reason: 'test',
  service,
  value,
});
const link = { tell: () => {}, replace: () => {} };

for (const [name, startServer] of Object.entries(servers)) {
  describe(`the store on ${name}`, () => {
    let server: Server;
    before(async () => {
      server = await startServer();
    });
    after(() => server.stop());

    it('makes its schema, and keeps every column as it is', async (t) => {
      const { audit } = await open(t, server.urlWithPassword, temporaryFolder(t, 'berth-store-'));
      const full: AuditEntry = {
        event: 'scale.decided',
        actor: 'coordinator',
        reason: `it's "quoted"; -- \\ 100 % ${'é🚢'.repeat(3000)}`,
        outcome: 'held',
        at: 1_900_000_000_123,
        agent: 'a'.repeat(253),
        container: 'c1',
        host: 'h1',
        service: 'wéb 🚢',
        haproxy: 'lb1:9999',
        backend: 'app',
        slot: 'node7',
        policy: 'web',
        metric: 'queue',
        value: 0.1 + 0.2,
        from: 2,
        to: '4',
        alert: 'high',
        details: { inputs: [1, 2], text: "it's" },
      };
      await audit.record(full);
      const [row] = await allRows(audit, { event: 'scale.*' });
      assert.deepEqual({ ...row, id: '' }, { ...full, id: '', from: '2' });
    });

    it('takes over what earlier versions stored of policies', () =>
      takesOverPolicyStates(server.urlWithPassword));

    it('pages, filters and deletes as the others do', async (t) => {
      const { audit } = await open(t, server.urlWithPassword, temporaryFolder(t, 'berth-store-'));
      for (const value of upTo(300))
        audit.record({ ...entry('pages', value), at: 1000 + value, slot: `node${value % 3}` });
      await audit.flush();
      assert.deepEqual(
        (await allRows(audit, { service: 'pages' })).map((row) => row.value),
        upTo(300),
      );
      const newest = await audit.query(
        { service: 'pages', slot: 'node1', since: 1100, until: 1200 },
        undefined,
        2,
      );
      assert.deepEqual(
        newest.items.map((row) => row.value),
        [199, 196],
      );
      const events = await audit.query({ service: 'pages', event: 'slot.*' }, undefined, 1000);
      assert.equal(events.items.length, 300);
      assert.deepEqual((await audit.query({ event: 'slot' }, undefined, 10)).items, []);
      assert.equal(await audit.deleteBefore(1250, new AbortController().signal), 250);
      assert.equal((await allRows(audit, { service: 'pages' })).length, 50);
    });

    it('keeps agents for the next start', async (t) => {
      const folder = temporaryFolder(t, 'berth-store-');
      const first = await open(t, server.urlWithPassword, folder);
      const registrations = [
        {
          haproxy: 'lb1',
          backend: 'app',
          slot: 'node1',
          address: '10.0.0.5',
          port: 80,
          state: 'ready' as const,
        },
      ];
      for (const phase of ['starting', 'ready'] as const) {
        first.registry.greet({ type: 'hello', v: 1, agent: 'a1', service: 'wéb' }, link);
        first.registry.beat('a1', link, { type: 'heartbeat', seq: 1, phase, registrations });
        await first.saver.save();
      }
      const second = await open(t, server.urlWithPassword, folder);
      assert.equal(await second.saver.load(), true);
      assert.equal(second.registry.list().length, 1);
      assert.equal(second.registry.get('a1')?.phase, 'ready');
      assert.equal(second.registry.get('a1')?.service, 'wéb');
      assert.deepEqual(second.registry.get('a1')?.registrations, registrations);
      assert.equal(second.registry.get('a1')?.firstSeen, first.registry.get('a1')?.firstSeen);
    });

    it('is away and comes back: no row lost, none doubled, all in order', async (t) => {
      const folder = temporaryFolder(t, 'berth-store-');
      const { audit, store, saver, registry } = await open(t, server.urlWithPassword, folder);
      await saver.load();
      let value = 0;
      const record = (count: number) => {
        for (const end = value + count; value < end; value += 1) audit.record(entry('outage', value));
      };
      record(250);
      await eventually(
        'some rows are there',
        async () => (await allRows(audit, { service: 'outage' })).length > 0,
      );
      record(150);
      await server.kill();
      record(400);
      await audit.record(entry('outage', value));
      value += 1;
      assert.ok(audit.status().journalledBytes > 0);
      assert.notEqual(store.failure, undefined);
      await assert.rejects(audit.query({}, undefined, 1), (error) =>
        isBerthError(error, 'database.unavailable'),
      );
      registry.greet({ type: 'hello', v: 1, agent: 'late' }, link);
      await saver.save();
      await server.start();
      record(100);
      await eventually(
        'nothing waits',
        () => audit.status().journalledBytes === 0 && audit.status().queued === 0,
        30_000,
      );
      assert.deepEqual(
        (await allRows(audit, { service: 'outage' })).map((row) => row.value),
        upTo(value),
      );
      await saver.save();
      const next = await open(t, server.urlWithPassword, temporaryFolder(t, 'berth-store-'));
      await next.saver.load();
      assert.notEqual(next.registry.get('late'), undefined);
    });

    it('hangs: rows do not wait for it in memory, and arrive once, in order', async (t) => {
      const folder = temporaryFolder(t, 'berth-store-');
      // So long that only the journal can keep a row in the time of this test.
      const { audit, store } = await open(t, server.urlWithPassword, folder, 600_000);
      await audit.record(entry('hang', 0));
      server.freeze();
      try {
        for (const value of [1, 2, 3]) audit.record(entry('hang', value));
        await eventually(
          'the rows are in the journal',
          () => audit.status().journalledBytes > 0 && audit.status().queued === 0,
          20_000,
        );
        assert.equal(store.failure, undefined, 'the database has not been given up');
      } finally {
        server.thaw();
      }
      audit.record(entry('hang', 4));
      await eventually(
        'nothing waits',
        () => audit.status().journalledBytes === 0 && audit.status().queued === 0,
        30_000,
      );
      assert.deepEqual(
        (await allRows(audit, { service: 'hang' })).map((row) => row.value),
        upTo(5),
      );
    });

    it('hangs, and goes on with what was given up: that is undone, so that the newer stays', async (t) => {
      const { store } = await open(t, server.urlWithPassword, temporaryFolder(t, 'berth-store-'), 1000);
      const given = { service: 'late', updated_at: 1 };
      const begun = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<void>();
      const late = store.transaction(async (db) => {
        await db
          .insertInto('services')
          .values({ ...given, state: 'old' })
          .execute();
        begun.resolve();
        await goOn.promise;
        ended.resolve();
      });
      await begun.promise;
      server.freeze();
      try {
        await assert.rejects(late, (error) => isBerthError(error, 'database.unavailable'));
      } finally {
        server.thaw();
      }
      goOn.resolve();
      await ended.promise;
      const states = async () =>
        (
          await store.use((db) =>
            db.selectFrom('services').select('state').where('service', '=', 'late').execute(),
          )
        ).map(({ state }) => state);
      // It holds the row until it is undone or not.
      await eventually('the newer one can be written', async () => {
        await store.transaction((db) =>
          db
            .insertInto('services')
            .values({ ...given, state: 'new' })
            .execute(),
        );
        return true;
      });
      assert.deepEqual(await states(), ['new']);
    });

    it('is on a network that swallows everything: it is found again by new connections', async (t) => {
      const { port } = new URL(server.urlWithPassword);
      await using proxy = await startSwallowingProxy(Number(port));
      const url = server.urlWithPassword.replace(`:${port}/`, `:${proxy.port}/`);
      const { store } = await open(t, url, temporaryFolder(t, 'berth-store-'), 500);
      await Promise.all(upTo(4).map(() => store.probe()));
      proxy.swallow();
      const unavailable = (error: unknown) => isBerthError(error, 'database.unavailable');
      await Promise.all(upTo(6).map(() => assert.rejects(store.probe(), unavailable)));
      await eventually('it is there again', () => store.probe().then(() => true), 20_000);
    });

    it('refuses writes: the doctor says so', async (t) => {
      const { store } = await open(t, server.urlWithPassword, temporaryFolder(t, 'berth-store-'));
      await store.probe();
      const look = () => checkDatabase({ database: parseDatabaseUrl(server.urlWithPassword) });
      assert.deepEqual([(await look()).status, (await look()).seen], ['ok', 'can be written']);
      await server.sql(
        name === 'MariaDB'
          ? 'set global read_only = 1'
          : 'alter database berth set default_transaction_read_only = on',
      );
      const { status, seen } = await look();
      assert.deepEqual([status, /read.only/.test(seen)], ['fail', true], seen);
      await server.sql(
        name === 'MariaDB'
          ? 'set global read_only = 0'
          : 'begin read write; alter database berth reset default_transaction_read_only; commit',
      );
    });

    // PostgreSQL undoes a migration that ends half way.
    if (name === 'MariaDB')
      it('takes up a schema that was left half made', async (t) => {
        const { store } = await open(t, server.urlWithPassword, temporaryFolder(t, 'berth-store-'));
        await store.probe();
        await server.sql('drop index audit_event on audit; delete from kysely_migration');
        const again = await open(t, server.urlWithPassword, temporaryFolder(t, 'berth-store-'));
        await again.store.probe();
        assert.match(await server.sql('show index from audit'), /audit_event/);
      });

    it('says what is wrong without its password', async (t) => {
      const url = server.urlWithPassword.replace(':berth-password@', ':wrong-password@');
      const { store } = await open(t, url, temporaryFolder(t, 'berth-store-'));
      await assert.rejects(store.probe(), (error) => {
        assert.ok(isBerthError(error, 'database.unavailable'));
        assert.match(error.message, /^database \w+:\/\/127\.0\.0\.1:\d+\/berth: /);
        assert.doesNotMatch(error.message, /wrong-password/);
        return true;
      });
    });
  });
}

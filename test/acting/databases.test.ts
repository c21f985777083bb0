// The same story of a service on each database: its policy is edited there at run time, it follows its load, and every act
// is in the audit. Then the database is away in the middle of scaling, and comes back.
//
// DATABASE_OUTAGE_SECONDS: how long it is away at least.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore } from '../../coordinator/store/store.ts';
import { type DatabaseServer, databaseServers } from './database-servers.ts';
import { Stage } from './stage.ts';

const outageMs = Number(process.env['DATABASE_OUTAGE_SECONDS'] ?? 8) * 1000;

for (const [name, { start, outages }] of Object.entries(databaseServers)) {
  describe(`a service whose policy is in ${name}`, () => {
    let server: DatabaseServer;
    let stage: Stage;
    let since: number;
    /** How many instances the load is for; a number for it is pushed again and again, as monitoring does. */
    let busy = 2;
    const pushing = new AbortController();
    let pushed: Promise<void>;
    before(async () => {
      server = await start();
      since = Date.now();
      stage = await Stage.set({
        slots: 20,
        env: { BERTH_DATABASE: server.url, BERTH_AUDIT_JOURNAL: server.journal },
      });
      await stage.apps(2);
      pushed = push();
    });
    after(async () => {
      pushing.abort();
      await pushed;
      await stage?.[Symbol.asyncDispose]();
      await server?.[Symbol.asyncDispose]();
    });

    async function push(): Promise<void> {
      while (!pushing.signal.aborted) {
        // Less than the whole of it, so that the rest would cope when there are more.
        const value = { name: 'n', value: busy - 0.6 };
        await stage.coordinator.write('POST', '/api/v1/metrics', value).catch(() => undefined);
        await delay(200, undefined, { signal: pushing.signal }).catch(() => undefined);
      }
    }

    const policy = (minReplicas: number) => ({
      name: 'mine',
      service: stage.service,
      minReplicas,
      maxReplicas: 8,
      interval: '250ms',
      metrics: [
        {
          name: 'n',
          source: { type: 'pushed', metric: 'n' },
          target: { type: 'AverageValue', averageValue: 1 },
        },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
    });

    /** Writes into the database by another way than Berth. */
    async function edit(document: string): Promise<void> {
      const store = await openStore(parseDatabaseUrl(server.url));
      try {
        await store.use((db) =>
          db.updateTable('policies').set({ document }).where('name', '=', 'mine').execute(),
        );
      } finally {
        await store.close();
      }
    }

    const check = async (called: string) =>
      (await stage.coordinator.readiness()).find((each) => each.name === called) ?? assert.fail();

    /** Deletes one that serves. */
    async function lose(): Promise<void> {
      const { container } = (await stage.view()).instances.find(({ serving }) => serving) ?? assert.fail();
      await stage.engine.run(['rm', '-f', container]);
      await stage.wait(
        async () => (await stage.containers()).every(({ id }) => id !== container),
        'it is gone',
      );
    }

    /** Every act on an instance that the log tells of is in the audit, once, in the same order. */
    async function audited(): Promise<number> {
      const key = (row: { event: string; container?: string | null; outcome: string; reason: string }) =>
        [row.event, row.outcome, row.container ?? '', row.reason].join(' ');
      const logged = stage.coordinator
        .output()
        .split('\n')
        .filter((line) => line.startsWith('{') && line.includes('"event":"instance.'))
        .map((line) => JSON.parse(line))
        .filter(({ service }) => service === stage.service)
        .map(key);
      const rows = await stage.coordinator.audit(since, { event: 'instance.*', service: stage.service });
      assert.deepEqual(rows.map(key), logged);
      return rows.length;
    }

    it('scales by the policy as it is edited there, by its load and by hand', async (t) => {
      await stage.coordinator.write('PUT', '/api/v1/policies/mine', policy(2));
      await edit(JSON.stringify(policy(3)));
      await stage.settled(3);
      await edit('{"minReplicas": ');
      await stage.wait(
        async () =>
          (await stage.coordinator.read<{ problems: string[] }>('/api/v1/policies')).problems.length > 0,
        'the new version is refused',
      );
      const { policy: inForce, wanted } = await stage.view();
      assert.deepEqual([inForce, wanted], ['mine', 3], 'the old one stays');
      await edit(JSON.stringify(policy(2)));
      busy = 5;
      await stage.settled(5);
      busy = 2;
      await stage.settled(2);
      await stage.scale(3);
      await stage.settled(3);
      await stage.scale(null);
      await stage.settled(2);
      await lose();
      await stage.settled(2);
      t.diagnostic(`${await audited()} acts in the audit`);
    });

    for (const way of outages) {
      it(`goes on when it ${way} in the middle of scaling, and has every act in the audit`, async (t) => {
        const outage = server.outages[way] ?? assert.fail();
        busy = 2;
        await stage.settled(2);
        busy = 5;
        await stage.wait(async () => (await stage.view()).instances.length > 2, 'it has begun');
        const began = performance.now();
        await outage.begin();
        try {
          await stage.settled(5);
          await lose();
          await stage.settled(5);
          busy = 3;
          await stage.settled(3);
          await stage.wait(
            async () =>
              (await check('database')).status === 'failed' && (await check('audit')).status === 'failed',
            'it says that the database is away, and that rows wait',
            30_000,
          );
          assert.match(stage.coordinator.output(), /"event":"audit.held"/);
          if (outage.journals) {
            await stage.wait(
              async () => /^0 rows wait in memory and [1-9]/.test((await check('audit')).reason),
              'they wait in the journal',
            );
            await stage.coordinator.kill();
            await stage.coordinator.start();
            await stage.wait(
              async () => (await stage.readySlots()).length === 3,
              'without its database it leaves everything as it is',
            );
          }
          await stage.wait(
            () => Promise.resolve(performance.now() - began > outageMs),
            'time has passed',
            outageMs + 1000,
          );
          // On a full disk the database can still be read.
          const checks = [await check('database'), await check('audit')];
          assert.ok(
            checks.some(({ status }) => status === 'failed'),
            JSON.stringify(checks),
          );
          assert.equal((await stage.readySlots()).length, 3);
        } finally {
          await outage.end();
        }
        const away = Math.round((performance.now() - began) / 1000);
        const took = await stage.wait(
          async () => (await stage.coordinator.readiness()).every(({ status }) => status === 'ok'),
          'all is well again',
          30_000,
        );
        await stage.settled(3);
        busy = 4;
        await stage.settled(4);
        t.diagnostic(
          `away for ${away} s, well ${Math.round(took)} ms after; ${await audited()} acts in the audit so far`,
        );
      });
    }
  });
}

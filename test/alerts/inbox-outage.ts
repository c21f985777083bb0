import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AlertInbox } from '../../coordinator/alerts/alert-inbox.ts';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore } from '../../coordinator/store/store.ts';
import { systemClock } from '../../shared/clock.ts';
import { until } from '../bench/wait.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { allRows, firing } from './inbox-suite.ts';

export interface Server {
  kill(signal: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
}

/**
 * What the inbox promises while a database server ends and comes back. `signal` must end it in order: the bench's servers
 * forget their last commits on a kill.
 */
export function outageSuite(
  name: string,
  server: Server,
  signal: NodeJS.Signals,
  empty: () => Promise<string>,
): void {
  describe(`the inbox while ${name} is away`, () => {
    it('lets every alert act, and has them all in the database once it is back', async (t) => {
      const store = await openStore(parseDatabaseUrl(await empty()));
      const inbox = new AlertInbox({ store, log: memoryLog(), clock: systemClock });
      const stop = new AbortController();
      const running = inbox.run(stop.signal);
      t.after(async () => {
        stop.abort();
        await running;
        await store.close();
      });
      const startsAt = new Date().toISOString();
      const post = (from: number, count: number) =>
        inbox.accept(
          Array.from({ length: count }, (_, index) => firing(`f${from + index}`, startsAt)),
          'alertmanager',
        );
      await post(0, 100);
      await server.kill(signal);
      const outcomes = await post(100, 1900);
      assert.ok(outcomes.every(({ state, stored }) => state === 'unprocessed' && !stored));
      assert.equal(inbox.active('web').length, 2000);
      assert.equal(inbox.status().waiting, 1900);
      await server.start();
      await until(() => inbox.status().waiting === 0, { what: 'nothing waits', deadlineMs: 30_000 });
      assert.equal((await allRows(inbox)).length, 2000);
    });
  });
}

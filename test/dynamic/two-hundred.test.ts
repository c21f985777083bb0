// 200 agents at once in dynamic mode, each with connections of its own, at a real HAProxy of each version under a small
// load: each has one server, none has two, no request fails; after a reload all are back; then all leave at once.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { isEnabled } from '../../shared/haproxy/slots.ts';
import { type Haproxy, haproxyVersions, startHaproxy } from '../bench/haproxy.ts';
import { startLoad } from '../bench/load.ts';
import { until } from '../bench/wait.ts';
import { Fleet, Instance } from '../slots/fleet.ts';

const agents = 200;
const parameters = 'check inter 5s maxconn 8000 weight 100';
/** A transaction of two hundred at once may wait for a turn on a busy machine. */
const deadlineMs = 30_000;

/** One app that answers at every loopback address. */
async function listenEverywhere(): Promise<{ port: number; close(): void }> {
  const server = createServer((_, response) => response.end('ok'));
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  const bound = server.address();
  assert.ok(typeof bound === 'object' && bound !== null);
  return {
    port: bound.port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

for (const version of haproxyVersions) {
  test(`HAProxy ${version}: ${agents} come at once, are back after a reload, and leave at once`, async (t) => {
    const app = await listenEverywhere();
    try {
      const backends = [{ name: 'app', slots: 0 }];
      const haproxy: Haproxy = await startHaproxy({ version, masterWorker: true, config: { backends } });
      await using fleet = new Fleet([haproxy], 0, parameters);
      const arrive = (address: string) => Instance.start(fleet, address, { app: false, port: app.port });
      const first = await arrive('127.1.0.1');
      await fleet.settled();

      await using coming = startLoad({ url: haproxy.url(), ratePerSecond: 50, maxSeconds: 60 });
      await Promise.all(Array.from({ length: agents }, (_, index) => arrive(`127.2.0.${index + 1}`)));
      t.diagnostic(`all have a server after ${Math.round(await fleet.whole(deadlineMs))} ms`);
      const rows = await fleet.rows();
      assert.equal(rows.length, agents + 1, 'no row but theirs');
      assert.equal(rows.filter(isEnabled).length, agents + 1);
      assert.equal(new Set(rows.map(({ address }) => address)).size, agents + 1);
      const { failed, errors, sent } = await coming.stop();
      assert.deepEqual([failed, errors], [0, {}]);
      assert.ok(sent > 0);

      await haproxy.reload();
      t.diagnostic(`all are back ${Math.round(await fleet.whole(deadlineMs))} ms after a reload`);
      assert.equal((await fleet.rows()).length, agents + 1);

      await using leaving = startLoad({ url: haproxy.url(), ratePerSecond: 50, maxSeconds: 60 });
      await Promise.all(fleet.instances.filter((each) => each !== first).map((each) => each.leave()));
      assert.equal((await fleet.rows()).filter(isEnabled).length, 1, 'nobody else serves');
      // HAProxy 2.6 keeps those that have idle connections; whoever comes next and those that stay look after them.
      await arrive('127.1.0.2');
      await until(async () => (await fleet.rows()).length === 2, {
        what: 'all others are deleted',
        deadlineMs,
      });
      const left = await leaving.stop();
      t.diagnostic(`${sent} and ${left.sent} requests`);
      assert.deepEqual([left.failed, left.errors], [0, {}]);
    } finally {
      app.close();
    }
  });
}

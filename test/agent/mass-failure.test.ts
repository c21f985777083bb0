// The readiness probes of all instances fail at once, as they do when what they ask about is away: traffic flows on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { haproxyVersions } from '../bench/haproxy.ts';
import { startLoad } from '../bench/load.ts';
import { until } from '../bench/wait.ts';
import { heldSlots, startInstance, startLoadBalancer, stateOf } from './fleet.ts';

for (const version of haproxyVersions) {
  test(`HAProxy ${version}: one of three stays in traffic, and all are back with their probes`, async () => {
    await using haproxy = await startLoadBalancer({ version });
    const env = { BERTH_READY: '/healthz', BERTH_READY_INTERVAL: '100ms' };
    await using first = await startInstance(haproxy, env);
    await using second = await startInstance(haproxy, env);
    await using third = await startInstance(haproxy, env);
    const instances = [first, second, third];
    const ready = async () =>
      [...(await heldSlots(haproxy)).values()].filter((row) => stateOf(row) === 'ready').length;
    const become = (status: number) =>
      Promise.all(
        instances.map(({ port }) => fetch(`http://127.0.0.1:${port}/health/${status}`, { method: 'POST' })),
      );
    await until(async () => (await ready()) === 3, { what: 'all are in traffic' });
    await using load = startLoad({ url: haproxy.url(), ratePerSecond: 100, maxSeconds: 60 });
    for (let turn = 0; turn < 3; turn += 1) {
      await become(503);
      await until(async () => (await ready()) === 1, { what: 'one is left' });
      await until(
        () => instances.some(({ log }) => log().filter(({ event }) => event === 'slot.kept').length > 0),
        { what: 'one says that it stays' },
      );
      const goal = load.total.ok + 150;
      await until(() => load.total.ok >= goal, { what: 'requests flow' });
      assert.ok((await ready()) >= 1);
      await become(200);
      await until(async () => (await ready()) === 3, { what: 'all are back' });
    }
    const counts = await load.stop();
    // Of those that leave at the very same moment the last one is back a few milliseconds later.
    assert.ok(counts.failed <= 6, JSON.stringify(counts));
    assert.deepEqual(
      Object.keys(counts.errors).filter((error) => error !== '503'),
      [],
    );
  });
}

// Several HAProxys at once (REQUIREMENTS 15): a slot in each; while one is away, neither instances nor the coordinator
// are held up at the other; when it is back, it is whole again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { haproxyVersions, startHaproxy } from '../bench/haproxy.ts';
import { startLoad } from '../bench/load.ts';
import { until } from '../bench/wait.ts';
import { endpointOf, Fleet, Instance } from './fleet.ts';

for (const version of haproxyVersions) {
  for (const kept of [true, false]) {
    test(`HAProxy ${version}, ${kept ? 'with' : 'without'} a coordinator: one of two is killed and brought back`, async (t) => {
      const config = { slots: 8, inter: '150ms' };
      const start = () => startHaproxy({ version, config });
      const [first, second] = await Promise.all([start(), start()]);
      await using fleet = new Fleet([first, second], 8);
      if (kept) fleet.keep();
      await fleet.start(3);
      for (const { registrations } of fleet.instances) {
        const [one, two] = registrations.map((registration) => registration.report());
        assert.deepEqual(
          [one?.haproxy, two?.haproxy],
          [first, second].map((each) => endpointOf(each).name),
        );
        assert.ok(one?.state === 'ready' && two?.state === 'ready');
      }
      await using load = startLoad({ url: second.url(), ratePerSecond: 50, maxSeconds: 30 });

      await first.kill();
      if (kept) await until(() => fleet.keeper?.haproxys()[0]?.reachable === false, { what: 'it is missed' });
      // At the other one life goes on: instances come, leave in order, and are looked after.
      const joined = await Instance.start(fleet, '127.0.0.60');
      t.diagnostic(`a new instance: ${Math.round(await fleet.whole(5000, [second]))} ms`);
      assert.equal(joined.registrations[0]?.report().state, 'none');
      const [left] = fleet.instances;
      const leaving = left?.leave();
      await fleet.whole(5000, [second]);
      if (kept) await fleet.keeperRounds(3, second);

      await first.start();
      t.diagnostic(`the killed one is whole: ${Math.round(await fleet.whole(8000))} ms`);
      await leaving;
      await fleet.settled();
      const { sent, failed, errors } = await load.stop();
      t.diagnostic(`${sent} requests through the one that stayed`);
      assert.deepEqual([failed, errors], [0, {}]);
    });
  }
}

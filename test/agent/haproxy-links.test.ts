// A name of HAProxy that stands for several, and changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../../agent/config.ts';
import { HaproxyLink } from '../../agent/haproxy-link.ts';
import { HaproxyLinks } from '../../agent/haproxy-links.ts';
import { systemClock } from '../../shared/clock.ts';
import { startApp } from '../bench/app.ts';
import { freePort, until } from '../bench/wait.ts';
import { heldSlots, slots, startLoadBalancer, untilSlot } from './fleet.ts';

const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

/** HAProxys at several addresses of this machine, on one port. */
async function startAt(address: string, port: number) {
  const global = [`stats socket ipv4@${address}:${port} level admin`];
  return startLoadBalancer({ address, config: { slots, inter: '500ms', global } });
}

test('a name with several addresses is several HAProxys; new ones are joined, a failing lookup changes nothing', async (t) => {
  const port = await freePort('0.0.0.0');
  await using app = await startApp({ host: '0.0.0.0' });
  await using first = await startAt('127.0.0.2', port);
  await using second = await startAt('127.0.0.3', port);
  const env = {
    HAPROXY_SERVER: `localhost:${port}`,
    NODE_COUNT: String(slots),
    BERTH_APP_PORT: String(app.port),
  };
  const { config } = readConfig(env, () => '');
  assert.ok(config);
  let answer: readonly string[] | undefined = ['127.0.0.2', '127.0.0.3'];
  let lookups = 0;
  const ending = new AbortController();
  t.after(() => ending.abort());
  const situation = { started: true, leaving: undefined, told: undefined };
  const links: HaproxyLinks = new HaproxyLinks(config.endpoints, {
    log,
    clock: systemClock,
    lookup: async () => {
      lookups += 1;
      if (answer === undefined) throw new Error('ENOTFOUND');
      return answer;
    },
    connect: (endpoint, signal) =>
      new HaproxyLink(
        endpoint,
        config,
        'test',
        { log, clock: systemClock, onChange: apply, onEvent: quiet },
        signal,
      ),
    onChange: apply,
  });
  function apply() {
    for (const link of links.all) link.apply(situation);
  }
  const running = links.run(ending.signal);
  await untilSlot(first, app.port, 'ready');
  await untilSlot(second, app.port, 'ready');
  assert.deepEqual(links.all.map((link) => link.report().haproxy).toSorted(), [
    `127.0.0.2:${port}`,
    `127.0.0.3:${port}`,
  ]);

  // A HAProxy in trouble makes it look again soon. While the name is not found, nothing changes.
  answer = undefined;
  const seen = lookups;
  await second.kill();
  await until(() => lookups > seen, { what: 'another lookup' });
  assert.equal(links.all.length, 2);
  assert.equal((await heldSlots(first)).size, 1);

  // The name stands for one other HAProxy now.
  await using third = await startAt('127.0.0.1', port);
  answer = ['127.0.0.1'];
  await untilSlot(third, app.port, 'ready');
  await until(() => links.all.length === 1, { what: 'the old ones are left' });
  assert.equal(links.all[0]?.report().haproxy, `localhost:${port}`);
  ending.abort();
  await running;
});

// Agents' registrations in dynamic mode at real HAProxys, without a coordinator: arriving, leaving, restarts and reloads,
// addresses of the dead, rows that HAProxy does not let go, an operator's hand.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isDraining, isEnabled, isInMaintenance } from '../../shared/haproxy/slots.ts';
import { type HaproxyOptions, type HaproxyVersion, haproxyVersions, startHaproxy } from '../bench/haproxy.ts';
import { startLoad } from '../bench/load.ts';
import { freePort, until } from '../bench/wait.ts';
import { Fleet, Instance } from '../slots/fleet.ts';

const parameters = 'check inter 150ms maxconn 8000 weight 100';
const soonMs = 10_000;

describe('dynamic servers without a coordinator', { concurrency: haproxyVersions.length }, () => {
  for (const version of haproxyVersions)
    describe(`HAProxy ${version}`, { concurrency: 1 }, () => testsOf(version));
});

function testsOf(version: HaproxyVersion): void {
  const start = async (options: HaproxyOptions = {}) => {
    const config = { backends: [{ name: 'app', slots: 0 }] };
    return new Fleet([await startHaproxy({ version, config, ...options })], 0, parameters);
  };
  const only = (fleet: Fleet) => {
    const [haproxy] = fleet.haproxys;
    assert.ok(haproxy);
    return haproxy;
  };
  const slotOf = (instance: Instance | undefined) => instance?.registrations[0]?.report().slot ?? '';
  const rowOf = async (fleet: Fleet, name: string) => (await fleet.rows()).find((each) => each.name === name);

  test('a server of its own, by the app’s address, with its parameters; gone when it has left', async () => {
    await using fleet = await start();
    const [instance] = await fleet.start(1);
    assert.ok(instance);
    const name = `node-127.0.0.10:${instance.port}`;
    assert.equal(slotOf(instance), name);
    const row = await rowOf(fleet, name);
    assert.ok(row !== undefined && isEnabled(row));
    assert.equal(row.checkState & 2, 2, 'its checks are on');
    const stat = (await only(fleet).cli('show stat')).split('\n').find((line) => line.includes(`,${name},`));
    assert.equal(stat?.split(',')[6], '8000', 'its maxconn');
    assert.equal(stat?.split(',')[18], '100', 'its weight');
    assert.equal((await fetch(only(fleet).url())).status, 200);
    await instance.leave();
    assert.deepEqual(await fleet.rows(), []);
    assert.deepEqual(
      instance.events.map(({ event }) => event),
      ['slot.claimed', 'slot.ready', 'slot.draining', 'slot.released'],
    );
  });

  test('a reload, kill -9 and a restart: every app is back by itself', async (t) => {
    await using fleet = await start({ masterWorker: true });
    await fleet.start(8);
    const haproxy = only(fleet);
    await haproxy.reload();
    t.diagnostic(`after a reload: ${Math.round(await fleet.whole(soonMs))} ms`);
    await haproxy.kill();
    await haproxy.start();
    t.diagnostic(`after kill -9: ${Math.round(await fleet.whole(soonMs))} ms`);
    await haproxy.restart();
    await fleet.whole(soonMs);
    assert.equal((await fleet.rows()).length, 8);
  });

  test('instances come and leave in order under load: no request fails, no row stays', async (t) => {
    await using fleet = await start();
    await fleet.start(3);
    await using load = startLoad({ url: only(fleet).url(), ratePerSecond: 50, maxSeconds: 30 });
    for (let turn = 0; turn < 4; turn += 1) {
      await Instance.start(fleet, `127.0.0.${100 + turn}`);
      await fleet.whole(soonMs);
      await fleet.instances[turn]?.leave();
      await fleet.whole(soonMs);
    }
    const { sent, failed, errors } = await load.stop();
    t.diagnostic(`${sent} requests`);
    assert.ok(sent > 10);
    assert.deepEqual([failed, errors], [0, {}]);
    assert.equal((await fleet.rows()).length, 3);
  });

  test('a server that HAProxy does not let go is out of traffic, without its address, and deleted later', async () => {
    await using fleet = await start();
    // An app that answers when the test lets it: HAProxy deletes no server with a connection.
    const held: (() => void)[] = [];
    const app = createServer((_, response) => void held.push(() => response.end('late')));
    app.listen(0, '127.0.0.30');
    await once(app, 'listening');
    const bound = app.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    try {
      const instance = await Instance.start(fleet, '127.0.0.30', { app: false, port });
      await fleet.settled();
      const name = slotOf(instance);
      const late = fetch(only(fleet).url()).then((response) => response.text());
      await until(() => held.length === 1, { what: 'the request is in flight' });
      instance.phase = 'stopping';
      for (const each of instance.registrations) each.want('gone', 'stopping');
      instance.goodbye = 'stopping';
      await until(async () => (await rowOf(fleet, name))?.address === '127.0.0.1', {
        what: 'its address is taken out',
      });
      const left = await rowOf(fleet, name);
      assert.ok(left !== undefined && isInMaintenance(left) && left.port === 1);
      for (const answer of held) answer();
      assert.equal(await late, 'late');
      app.closeAllConnections();
      // The next agent that looks sweeps it.
      await fleet.start(1, 31);
      await until(async () => (await rowOf(fleet, name)) === undefined, {
        what: 'it is deleted',
        deadlineMs: 5000,
      });
    } finally {
      app.closeAllConnections();
      app.close();
    }
  });

  test('a kept row of the same name is taken over by the next one with that address', async () => {
    await using fleet = await start();
    const port = await freePort();
    const name = `node-127.0.0.40:${port}`;
    await only(fleet).cli(`add server app/${name} 127.0.0.1:1 disabled`);
    const instance = await Instance.start(fleet, '127.0.0.40', { port });
    await fleet.settled();
    const row = await rowOf(fleet, name);
    assert.ok(row !== undefined && isEnabled(row));
    assert.equal(row.checkState & 2, 2, 'made anew, with checks');
    assert.equal((await fleet.rows()).length, 1);
    assert.equal(slotOf(instance), name);
  });

  test('the address of a dead one: out of traffic until the new app answers, also in another backend', async () => {
    const config = {
      backends: [
        { name: 'app', slots: 0 },
        { name: 'other', slots: 0 },
      ],
    };
    await using fleet = await start({ config });
    const port = await freePort();
    for (const name of [`app/node-127.0.0.50:${port}`, `other/blue-127.0.0.50:${port}`]) {
      await only(fleet).cli(`add server ${name} 127.0.0.50:${port} disabled check inter 60s`);
      await only(fleet).cli(`set server ${name} state ready`);
    }
    const instance = await Instance.start(fleet, '127.0.0.50', { app: false, port, phase: 'starting' });
    const others = async () =>
      (await only(fleet).cli('show servers state'))
        .split('\n')
        .filter((line) => line.includes(' 127.0.0.50 '));
    await until(async () => (await others()).length === 0, { what: 'both are gone' });
    const told = () => instance.events.filter(({ event }) => event === 'slot.released').length;
    await until(() => told() === 2, { what: 'both are told of' });
  });

  test('a container that comes back with another address gives the old server back', async () => {
    await using fleet = await start();
    const folder = await mkdtemp(join(tmpdir(), 'berth-memory-'));
    try {
      const stateFile = join(folder, 'slot');
      const port = await freePort();
      const first = await Instance.start(fleet, '127.0.0.10', { stateFile, port });
      await until(() => first.registrations[0]?.report().state === 'ready', { what: 'it serves' });
      await first.killAgent();
      await first.stopApp();
      fleet.instances.pop();
      await Instance.start(fleet, '127.0.0.11', { stateFile, port });
      await fleet.settled();
      assert.deepEqual(
        (await fleet.rows()).map(({ name }) => name),
        [`node-127.0.0.11:${port}`],
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('the gate: in drain until HAProxy’s own check has passed', async () => {
    await using fleet = await start();
    const port = await freePort();
    const instance = await Instance.start(fleet, '127.0.0.60', { app: false, port, gate: 'haproxy' });
    await until(() => slotOf(instance) !== '', { what: 'it has its server' });
    await until(async () => (await rowOf(fleet, slotOf(instance)))?.operationalState === 0, {
      what: 'the check failed',
    });
    const row = await rowOf(fleet, slotOf(instance));
    assert.ok(row !== undefined && isDraining(row));
    const app = createServer((_, response) => response.end('ok'));
    app.listen(port, '127.0.0.60');
    try {
      await fleet.whole(soonMs);
    } finally {
      app.close();
      app.closeAllConnections();
    }
  });

  test('a spare has its server out of traffic, and serves at a word', async () => {
    await using fleet = await start();
    const instance = await Instance.start(fleet, '127.0.0.70', { phase: 'starting' });
    instance.registrations[0]?.want('standby', 'it is kept warm');
    await until(() => instance.registrations[0]?.report().state === 'drain', { what: 'it has a server' });
    const row = await rowOf(fleet, slotOf(instance));
    assert.ok(row !== undefined && isDraining(row));
    instance.want('ready');
    await fleet.whole(soonMs);
  });

  test('an operator’s drain is respected, and what was deleted by hand comes back', async () => {
    await using fleet = await start();
    const [instance] = await fleet.start(2);
    const name = slotOf(instance);
    await only(fleet).cli(`set server app/${name} state drain`);
    await until(() => instance?.events.some(({ event }) => event === 'slot.held') === true, {
      what: 'it is said',
    });
    const row = await rowOf(fleet, name);
    assert.ok(row !== undefined && isDraining(row));
    await only(fleet).cli(`set server app/${name} state ready`);
    await fleet.whole(soonMs);
    await only(fleet).cli(`set server app/${name} state maint`);
    await only(fleet).cli(`del server app/${name}`);
    await fleet.whole(soonMs);
    await only(fleet).cli(`set server app/${name} addr 10.99.99.99 port 99`);
    await fleet.whole(soonMs);
    assert.equal((await rowOf(fleet, name))?.address, '127.0.0.10');
  });
}

// One agent's registration at a real HAProxy, alone: what it finds when it arrives, the gate, an operator's hand, and
// leaving.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sweep } from '../../agent/leftovers.ts';
import { systemClock } from '../../shared/clock.ts';
import { createRuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { freeAddress, isDraining, isEnabled, isInMaintenance } from '../../shared/haproxy/slots.ts';
import { haproxyVersions, startHaproxy } from '../bench/haproxy.ts';
import type { TemplateOptions } from '../bench/haproxy-config.ts';
import { startLoad } from '../bench/load.ts';
import { freePort, until } from '../bench/wait.ts';
import { endpointOf, Fleet, Instance } from './fleet.ts';

const slots = 4;

for (const version of haproxyVersions) {
  describe(`HAProxy ${version}`, () => {
    const start = async (options: TemplateOptions = {}) =>
      new Fleet([await startHaproxy({ version, config: { slots, inter: '150ms', ...options } })], slots);
    const cli = (fleet: Fleet, line: string) => fleet.haproxys[0]?.cli(line);
    const slotOf = (instance: Instance) => instance.registrations[0]?.report().slot ?? '';
    const rowOf = async (fleet: Fleet, name: string) => {
      const row = (await fleet.rows()).find((each) => each.name === name);
      assert.ok(row, name);
      return row;
    };

    test('its address in a ready slot while no app answers: into drain until one does', async () => {
      await using fleet = await start();
      const port = await freePort();
      await cli(fleet, `set server app/node3 addr 127.0.0.9 port ${port}; set server app/node3 state ready`);
      // From 2.9 on an address is applied later than it is answered.
      await until(async () => (await rowOf(fleet, 'node3')).address === '127.0.0.9', {
        what: 'the address is there',
      });
      const instance = await Instance.start(fleet, '127.0.0.9', { app: false, port, phase: 'starting' });
      await until(async () => isDraining(await rowOf(fleet, 'node3')), { what: 'the slot is in drain' });
      assert.equal(instance.registrations[0]?.report().state, 'none');
      instance.want('ready');
      await until(async () => isEnabled(await rowOf(fleet, 'node3')), { what: 'the slot is ready' });
      // HAProxy shows it a moment before the agent knows that it has it.
      await until(() => instance.registrations[0]?.report().state === 'ready', {
        what: 'the agent knows it',
      });
      assert.deepEqual(
        instance.events.map(({ event }) => event),
        ['slot.draining', 'slot.adopted', 'slot.ready'],
      );
    });

    test('its address in a ready slot whose app answers: the agent was restarted beside it, and nothing stops', async () => {
      await using fleet = await start();
      const [instance] = await fleet.start(1);
      assert.ok(instance);
      await instance.killAgent();
      fleet.instances.pop();
      const app = { address: instance.address, port: instance.port };
      await using load = startLoad({
        url: fleet.haproxys[0]?.url() ?? '',
        ratePerSecond: 200,
        maxSeconds: 20,
      });
      try {
        const again = await Instance.start(fleet, app.address, {
          app: false,
          port: app.port,
          phase: 'starting',
        });
        again.want('ready');
        await until(() => again.registrations[0]?.report().state === 'ready', {
          what: 'it has adopted its slot',
        });
        const { failed, errors } = await load.stop();
        assert.deepEqual([failed, errors], [0, {}]);
        assert.equal(again.events[0]?.event, 'slot.adopted');
      } finally {
        await instance.end();
      }
    });

    test('a spare claims its slot out of traffic, and serves at a word', async () => {
      await using fleet = await start();
      const instance = await Instance.start(fleet, '127.0.0.9', { phase: 'starting' });
      instance.registrations[0]?.want('standby', 'it is kept warm');
      await until(() => instance.registrations[0]?.report().state === 'drain', { what: 'it has a slot' });
      assert.ok(isDraining(await rowOf(fleet, slotOf(instance))));
      assert.deepEqual(
        instance.events.map(({ event }) => event),
        ['slot.claimed'],
      );
      instance.want('ready');
      await until(async () => isEnabled(await rowOf(fleet, slotOf(instance))), { what: 'the slot is ready' });
    });

    test('an app that was away serves at once when it is back, before checks of a slow beat have passed', async () => {
      await using fleet = await start({
        inter: '20s',
        serverOptions: 'fastinter 100ms downinter 20s fall 1',
      });
      const port = await freePort();
      const instance = await Instance.start(fleet, '127.0.0.9', { app: false, port, phase: 'starting' });
      instance.registrations[0]?.want('standby', 'it is kept warm');
      await until(() => instance.registrations[0]?.report().state === 'drain', { what: 'it has a slot' });
      const slot = slotOf(instance);
      await cli(fleet, `set server app/${slot} health down`);
      const status = async () =>
        ((await cli(fleet, 'show stat')) ?? '').split('\n').find((line) => line.startsWith(`app,${slot},`)) ??
        '';
      await until(async () => (await status()).includes(',DOWN,'), { what: 'HAProxy has found it down' });
      instance.want('ready');
      await until(async () => /,UP(?: \d+\/\d+)?,/.test(await status()), {
        what: 'the slot is up',
        deadlineMs: 5000,
      });
    });

    test('the gate waits for a check of its own, not for the one that the slot’s last owner passed', async () => {
      await using fleet = await start({ inter: '400ms', slots: 1 });
      const first = await Instance.start(fleet, '127.0.0.10', { nodeCount: 1, gate: 'haproxy' });
      await until(() => first.registrations[0]?.report().state === 'ready', { what: 'the first is ready' });
      await first.leave();
      const port = await freePort();
      const second = await Instance.start(fleet, '127.0.0.11', {
        nodeCount: 1,
        gate: 'haproxy',
        app: false,
        port,
      });
      await until(() => second.registrations[0]?.report().slot !== undefined, {
        what: 'the second has the slot',
      });
      // HAProxy has found out for itself; at no moment before was the slot ready.
      await until(async () => (await rowOf(fleet, 'node1')).operationalState === 0, {
        what: 'its check failed',
      });
      assert.equal(second.registrations[0]?.report().state, 'drain');
      assert.deepEqual(
        second.events.map(({ event }) => event),
        ['slot.claimed'],
      );
    });

    test('an operator’s maintenance outlasts the app’s own ups and downs', async () => {
      await using fleet = await start();
      const [instance] = await fleet.start(1);
      assert.ok(instance);
      const slot = slotOf(instance);
      const said = (event: string) =>
        until(() => instance.events.some((each) => each.event === event), { what: event });
      await cli(fleet, `set server app/${slot} state maint`);
      await said('slot.held');
      instance.want('drain');
      instance.want('ready');
      instance.want('drain');
      instance.want('ready');
      const looks = async (count: number) => {
        for (let look = 0; look < count; look += 1) {
          const registration = instance.registrations[0];
          // Each change of mind is a round at once.
          registration?.want(look % 2 === 0 ? 'drain' : 'ready', 'a round');
          await until(async () => isInMaintenance(await rowOf(fleet, slot)), {
            what: 'still in maintenance',
          });
        }
      };
      await looks(4);
      assert.equal(isInMaintenance(await rowOf(fleet, slot)), true);
      await cli(fleet, `set server app/${slot} state ready`);
      await fleet.whole();
    });

    test('a stop while it is claiming leaves no slot in traffic', async () => {
      await using fleet = await start();
      const instance = await Instance.start(fleet, '127.0.0.10');
      await instance.leave();
      assert.equal(await fleet.fault(), '');
      assert.equal((await fleet.rows()).filter((row) => !isInMaintenance(row)).length, 0);
    });

    test('a slot that was given to it elsewhere meanwhile is drained too', async () => {
      await using fleet = await start();
      const [instance] = await fleet.start(1);
      assert.ok(instance);
      for (const registration of instance.registrations) registration.attended = true;
      const [, free] = (await fleet.rows()).filter(isInMaintenance);
      assert.ok(free);
      const move = [
        `set server app/${slotOf(instance)} state maint`,
        `set server app/${slotOf(instance)} addr ${freeAddress.address} port ${freeAddress.port}`,
        `set server app/${free.name} addr ${instance.address} port ${instance.port}`,
        `set server app/${free.name} state ready`,
      ];
      await cli(fleet, move.join(';'));
      await until(async () => (await rowOf(fleet, free.name)).address === instance.address, {
        what: 'it is moved',
      });
      instance.phase = 'stopping';
      const drained = await instance.registrations[0]?.drained(5000, new AbortController().signal);
      assert.equal(drained?.outcome, 'idle');
      assert.equal(isEnabled(await rowOf(fleet, free.name)), false);
    });

    test('what is cleared away beside its slot is a double, never the slot that it was given instead', async () => {
      await using fleet = await start();
      const app = { address: '127.0.0.9', port: 80 };
      const put = (name: string, at: string) =>
        cli(fleet, `set server app/${name} addr ${at} port 80; set server app/${name} state ready`);
      const context = {
        api: createRuntimeApi(endpointOf(fleet.haproxys[0] ?? assert.fail())),
        place: { side: false },
        clock: systemClock,
        random: Math.random,
        signal: new AbortController().signal,
      };
      const own = { backend: 'app', name: 'node1' };
      const swept = async () => {
        const told: string[] = [];
        await sweep(context, { backend: 'app', prefix: 'node', count: slots }, own, app, (event, { name }) =>
          told.push(`${event} ${name}`),
        );
        return told;
      };
      await put('node3', app.address);
      await until(async () => (await rowOf(fleet, 'node3')).address === app.address, { what: 'it is there' });
      assert.deepEqual(await swept(), []);
      assert.ok(isEnabled(await rowOf(fleet, 'node3')));
      await put('node1', app.address);
      await until(async () => (await rowOf(fleet, 'node1')).address === app.address, { what: 'both are' });
      assert.deepEqual(await swept(), ['slot.released node3']);
      assert.ok(isEnabled(await rowOf(fleet, 'node1')));
    });

    test('an IPv6 address in any spelling takes one slot and gives it back', async () => {
      await using fleet = await start();
      const instance = await Instance.start(fleet, 'FD00:0:0::0007', { app: false, port: 80 });
      await until(() => slotOf(instance) !== '', { what: 'it has a slot' });
      assert.equal((await rowOf(fleet, slotOf(instance))).address, 'fd00::7');
      assert.equal((await fleet.rows()).filter(isEnabled).length, 1);
      await instance.leave();
      assert.equal((await fleet.rows()).filter(isEnabled).length, 0);
    });
  });
}

describe('an address that was another service’s', () => {
  test('its slot in another backend is cleared at once, a plain server with it is not', async () => {
    const haproxy = await startHaproxy({
      config: {
        slots,
        inter: '150ms',
        backends: [
          { name: 'app' },
          { name: 'two', prefix: 'srv' },
          { name: 'fixed', lines: ['server node9 127.0.0.10:4000 check'], prefix: 'other' },
        ],
      },
    });
    await using fleet = new Fleet([haproxy], slots);
    await haproxy.cli('set server two/srv2 addr 127.0.0.10 port 4000; set server two/srv2 state ready');
    await haproxy.cli(
      'set server fixed/other1 addr 127.0.0.10 port 4000; set server fixed/other1 state ready',
    );
    const written = async () => (await haproxy.cli('show servers state')).split(' 127.0.0.10 ').length === 4;
    await until(written, { what: 'the addresses are there' });
    const instance = await Instance.start(fleet, '127.0.0.10', { app: false, port: 4000 });
    await until(() => instance.registrations[0]?.report().state === 'ready', { what: 'it has its slot' });
    const state = await haproxy.cli('show servers state');
    const holders = state.split('\n').filter((line) => line.includes(' 127.0.0.10 '));
    assert.deepEqual(
      holders.map((line) => line.split(' ')[3]).sort(),
      ['node9', instance.registrations[0]?.report().slot].sort(),
    );
    assert.equal(instance.events.filter(({ event }) => event === 'slot.released').length, 2);
  });
});

describe('a container that was restarted', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-memory-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('has its slot again under another address, and the old one is not leaked', async () => {
    await using fleet = new Fleet([await startHaproxy({ config: { slots, inter: '150ms' } })], slots);
    const stateFile = join(folder, 'slot');
    const port = await freePort();
    const first = await Instance.start(fleet, '127.0.0.10', { stateFile, port });
    // HAProxy shows the slot a moment before the agent knows that it has it.
    await until(() => first.registrations[0]?.report().state === 'ready', { what: 'it has its slot' });
    const slot = first.registrations[0]?.report().slot;
    await first.killAgent();
    await first.stopApp();
    fleet.instances.pop();
    const second = await Instance.start(fleet, '127.0.0.11', { stateFile, port });
    await fleet.settled();
    assert.equal(second.registrations[0]?.report().slot, slot);
  });
});

// A stop before an agent has come to look at HAProxy: what has its address there does not stay behind.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { slotsAt } from '../../agent/give-back.ts';
import { Registration } from '../../agent/registration.ts';
import { SlotMemory } from '../../agent/slot-memory.ts';
import { systemClock } from '../../shared/clock.ts';
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import { isEnabled, isInMaintenance } from '../../shared/haproxy/slots.ts';
import type { AgentEvent } from '../../shared/protocol.ts';
import { haproxyVersions, startHaproxy } from '../bench/haproxy.ts';
import { freePort, until } from '../bench/wait.ts';
import { endpointOf, Fleet } from './fleet.ts';

const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const address = '127.0.0.9';

for (const version of haproxyVersions) {
  test(`HAProxy ${version}: slots with its address are drained and given back, in every backend and every state`, async () => {
    const config = { slots: 4, backends: [{ name: 'app' }, { name: 'blog' }] };
    const haproxy = await startHaproxy({ version, config });
    await using fleet = new Fleet([haproxy], 4);
    const folder = await mkdtemp(join(tmpdir(), 'berth-stop-'));
    try {
      const stateFile = join(folder, 'slot');
      const port = await freePort();
      const old = { address: '127.0.0.8', port };
      await haproxy.cli(
        `set server app/node2 addr ${address} port ${port}; set server app/node2 state ready`,
      );
      // What clear-address.ts leaves: muted, the address still there.
      await haproxy.cli(`set server blog/node1 addr ${address} port ${port}`);
      await haproxy.cli(`set server app/node3 addr ${old.address} port ${port}`);
      new SlotMemory(stateFile, endpointOf(haproxy).name).save({ backend: 'app', slot: 'node3', ...old });
      const all = () => haproxy.cli('show servers state');
      const count = async (at: string) => (await all()).split(` ${at} `).length - 1;
      await until(async () => (await count(address)) === 2 && (await count(old.address)) === 1, {
        what: 'the addresses are there',
      });
      const events: AgentEvent[] = [];
      const registration = new Registration(
        {
          endpoint: endpointOf(haproxy),
          nodeCount: 4,
          slotPrefix: 'node',
          backend: 'app',
          port,
          host: address,
          id: 'a',
          gate: 'app',
          stateFile,
        },
        { log, clock: systemClock, onChange: quiet, onEvent: (event) => events.push(event) },
      );
      const { signal } = new AbortController();
      const drained = await registration.drained(5000, signal);
      assert.equal(drained.outcome, 'idle');
      assert.deepEqual((await fleet.rows()).filter(isEnabled), []);
      registration.want('gone', 'stopping');
      await registration.run(signal);
      assert.equal(await count(address), 0);
      assert.equal(await count(old.address), 0);
      assert.ok((await fleet.rows()).every(isInMaintenance));
      const told = events.map(({ event, backend, slot }) => `${event} ${backend}/${slot}`).sort();
      assert.deepEqual(told, [
        'slot.draining app/node2',
        'slot.released app/node2',
        'slot.released app/node3',
        'slot.released blog/node1',
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

test('a HAProxy that is away is asked once', async () => {
  let asked = 0;
  const registration = new Registration(
    {
      endpoint: { name: 'lb', host: 'lb', port: 1 },
      nodeCount: 4,
      slotPrefix: 'node',
      backend: 'app',
      port: 80,
      host: address,
      id: 'a',
      gate: 'app',
      stateFile: undefined,
    },
    {
      log,
      clock: systemClock,
      onChange: quiet,
      onEvent: quiet,
      api: {
        transact: async () => {
          asked += 1;
          throw new Error('away');
        },
      },
    },
  );
  registration.want('gone', 'stopping');
  await registration.run(new AbortController().signal);
  assert.equal(asked, 1);
});

test('a template’s own address, which is the app’s as well on one machine, makes no slot the app’s', () => {
  const row = (name: string, at: string, port: number): ServerRow => ({
    backend: 'app',
    backendId: 3,
    serverId: 1,
    name,
    address: at,
    port,
    operationalState: 0,
    adminState: 5,
    checkResult: 0,
    checkState: 6,
    templated: true,
    secondsSinceChange: 1,
  });
  const rows = [row('node1', '127.0.0.1', 80), row('node2', '127.0.0.1', 80), row('node3', address, 80)];
  assert.deepEqual(slotsAt(rows, { address: '127.0.0.1', port: 80 }), []);
  assert.deepEqual(
    slotsAt(rows, { address, port: 80 }).map(({ name }) => name),
    ['node3'],
  );
});

// What agents in dynamic mode clear away of the dead: planned purely, and carried out on a real HAProxy whose rows are
// shown older than they are.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { byAdding } from '../../agent/by-adding.ts';
import { longSeconds, planSweep } from '../../agent/plan-sweep.ts';
import { systemClock } from '../../shared/clock.ts';
import { createRuntimeApi, type RuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { parseServersState, type ServerRow } from '../../shared/haproxy/servers-state.ts';
import { haproxyVersions, startHaproxy } from '../bench/haproxy.ts';
import { freePort, until } from '../bench/wait.ts';
import { endpointOf } from '../slots/fleet.ts';

const states = {
  ready: { adminState: 4, operationalState: 2 },
  down: { adminState: 4, operationalState: 0 },
  drain: { adminState: 12, operationalState: 2 },
  drainedDown: { adminState: 12, operationalState: 0 },
  maint: { adminState: 5, operationalState: 0 },
};

function rowOf(number: number, state: keyof typeof states, seconds: number, more: Partial<ServerRow> = {}) {
  const address = `10.0.0.${number}`;
  const fixed = { backend: 'app', backendId: 3, serverId: number, checkResult: 0, checkState: 6 };
  const name = `node-${address}:80`;
  const at = { name, address, port: 80, templated: false, secondsSinceChange: seconds };
  return { ...fixed, ...at, ...states[state], ...more };
}

test('only what is old is doubted, what serves is not, and with a coordinator the down are its own', () => {
  const old = longSeconds;
  const given = rowOf(9, 'maint', 0, { address: '127.0.0.1', port: 1 });
  const rows = [
    rowOf(1, 'ready', old),
    rowOf(2, 'down', old),
    rowOf(3, 'down', old - 1),
    rowOf(4, 'drain', old),
    rowOf(5, 'drainedDown', old),
    rowOf(6, 'maint', old),
    rowOf(7, 'maint', old - 1),
    rowOf(8, 'down', old),
    given,
  ];
  const own = { backend: 'app', name: 'node-10.0.0.8:80' };
  const numbers = (list: readonly ServerRow[]) => list.map(({ serverId }) => serverId);
  const alone = planSweep(rows, own, false);
  assert.deepEqual([alone.given, alone.dead, alone.doubtful].map(numbers), [[9], [2], [5, 6]]);
  const attended = planSweep(rows, own, true);
  assert.deepEqual([attended.given, attended.dead, attended.doubtful].map(numbers), [[9], [], [5, 6]]);
});

/** As `api`, but every row has not changed for a long time. */
function aged(api: RuntimeApi): RuntimeApi {
  return {
    transact: async (commands, signal) => {
      const { replies, localAddress } = await api.transact(commands, signal);
      const older = replies.map((reply, index) => {
        if (commands[index]?.startsWith('show servers state') !== true) return reply;
        const lines = reply.text.split('\n').map((line) => {
          const cells = line.split(' ');
          if (cells.length > 15 && cells[0] !== '#') cells[9] = String(longSeconds);
          return cells.join(' ');
        });
        return { ...reply, text: lines.join('\n') };
      });
      return { replies: older, localAddress };
    },
  };
}

test('the doubtful are probed side by side; a sweep that is cut short takes nobody for dead', async () => {
  const rows = [1, 2, 3].map((number) => `node-10.0.0.${number}:80`);
  const columns =
    'be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_time_since_last_change srv_check_result srv_check_state srv_fqdn srv_port';
  const lines = rows.map(
    (name, index) => `3 app ${index} ${name} 10.0.0.${index + 1} 0 5 ${longSeconds} 0 6 - 80`,
  );
  const sent: string[] = [];
  const api: RuntimeApi = {
    transact: async (commands) => {
      sent.push(...commands);
      const reply = { severity: undefined, text: ['1', `# ${columns}`, ...lines, ''].join('\n') };
      return { replies: commands.map(() => reply), localAddress: undefined };
    },
  };
  const stop = new AbortController();
  const asked: string[] = [];
  const settings = { backend: 'app', slotPrefix: 'node', nodeCount: undefined, parameters: '' };
  const way = byAdding(settings, async ({ address }, signal) => {
    asked.push(address);
    await once(signal, 'abort');
    return false;
  });
  const context = {
    api,
    place: { side: false },
    clock: systemClock,
    random: Math.random,
    signal: stop.signal,
  };
  const sweeping = way.sweep(context, { backend: 'app', name: 'node-10.0.0.9:80' }, true, () => undefined);
  await until(() => asked.length === 3, { what: 'all three are asked' });
  stop.abort();
  await assert.rejects(sweeping);
  assert.deepEqual(sent, ['show servers state app']);
});

for (const version of haproxyVersions) {
  test(`HAProxy ${version}: the dead and what was given back are deleted, an operator’s maintenance stays`, async () => {
    await using haproxy = await startHaproxy({ version, config: { backends: [{ name: 'app', slots: 0 }] } });
    const port = await freePort('127.0.0.9');
    const living = createServer();
    living.listen(port, '127.0.0.9');
    await once(living, 'listening');
    try {
      const add = (name: string, at: string) => haproxy.cli(`add server app/${name} ${at} disabled`);
      await add('node-127.0.0.7:80', '127.0.0.1:1');
      await add(`node-127.0.0.8:${port}`, `127.0.0.8:${port}`);
      await add(`node-127.0.0.9:${port}`, `127.0.0.9:${port}`);
      await add('somebody', '127.0.0.8:80');
      const told: string[] = [];
      const signal = new AbortController().signal;
      const api = aged(createRuntimeApi(endpointOf(haproxy)));
      const way = byAdding({ backend: 'app', slotPrefix: 'node', nodeCount: undefined, parameters: '' });
      const context = { api, place: { side: false }, clock: systemClock, random: Math.random, signal };
      const own = { backend: 'app', name: 'node-10.0.0.1:80' };
      assert.equal(
        await way.sweep(context, own, true, (event, { name }) => told.push(`${event} ${name}`)),
        false,
      );
      assert.deepEqual(told, [`slot.released node-127.0.0.8:${port}`]);
      const text = await haproxy.cli('show servers state app');
      const left = parseServersState({ severity: undefined, text }).map(({ name }) => name);
      assert.deepEqual(left.sort(), [`node-127.0.0.9:${port}`, 'somebody'].sort());
    } finally {
      living.close();
    }
  });
}

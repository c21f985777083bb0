// Taking this address out of traffic before the app starts: what is done, what is said, and for how long it may take.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clearAddress } from '../../agent/clear-address.ts';
import { readConfig } from '../../agent/config.ts';
import { startHaproxy } from '../bench/haproxy.ts';
import { freePort, until } from '../bench/wait.ts';
import { startFakeCli } from '../haproxy/fake-cli.ts';

function configOf(env: Readonly<Record<string, string>>) {
  const { config, problems } = readConfig({ NODE_COUNT: '2', BERTH_APP_PORT: '80', ...env }, () => '');
  assert.ok(config, problems.join());
  return config;
}

function logOf() {
  const events: string[] = [];
  const add = (fields: object) => void events.push('event' in fields ? String(fields.event) : '');
  return { events, log: { debug: add, info: add, warn: add, error: add } };
}

test('an IPv6 address in any spelling is found, and its slot is muted', async () => {
  await using haproxy = await startHaproxy({ config: { slots: 2 } });
  const row = async () =>
    (await haproxy.cli('show servers state app')).split('\n').find((line) => line.includes(' fd00::7 '));
  await haproxy.cli('set server app/node2 addr fd00::7 port 80; set server app/node2 state ready');
  await until(row, { what: 'the address is there' });
  const { events, log } = logOf();
  await clearAddress(
    configOf({ HAPROXY_SERVER: `127.0.0.1:${haproxy.cliPort}`, BERTH_APP_HOST: 'FD00:0:0::0007' }),
    log,
  );
  assert.equal((await row())?.split(' ')[6], '5', 'its admin state is maintenance');
  assert.deepEqual(events, ['slot.muted']);
});

test('a refusal is not told as done', async () => {
  const port = await freePort();
  const global = [`stats socket ipv4@127.0.0.1:${port} level operator`];
  await using haproxy = await startHaproxy({ config: { slots: 2, global } });
  const state = () => haproxy.cli('show servers state app');
  await haproxy.cli('set server app/node2 addr 127.0.0.9 port 80; set server app/node2 state ready');
  await until(async () => (await state()).includes(' 127.0.0.9 '), { what: 'the address is there' });
  const { events, log } = logOf();
  await clearAddress(configOf({ HAPROXY_SERVER: `127.0.0.1:${port}`, BERTH_APP_HOST: '127.0.0.9' }), log);
  assert.deepEqual(events, ['address.unchecked']);
});

test('a HAProxy that says what it has and then hangs holds no app up for longer than one that does not answer', async () => {
  const columns =
    'be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_time_since_last_change srv_check_result srv_check_state srv_fqdn srv_port';
  const state = ['1', `# ${columns}`, '3 app 1 node1 127.0.0.9 2 4 1 3 6 localhost 80', ''].join('\n');
  let hanging = 0;
  await using fake = await startFakeCli((socket) => {
    socket.on('data', (data) => {
      if (String(data).includes('show servers state')) socket.write(`\n> \n> ${state}\n> `);
      else hanging += 1;
    });
  });
  const { events, log } = logOf();
  let cleared = false;
  const clearing = clearAddress(
    configOf({ HAPROXY_SERVER: fake.endpoint.name, BERTH_APP_HOST: '127.0.0.9' }),
    log,
  ).then(() => {
    cleared = true;
  });
  // Half a second is promised; a transaction of its own would have two seconds.
  await until(() => cleared, { what: 'the app may start', deadlineMs: 1500 });
  await clearing;
  assert.deepEqual([hanging, events], [1, ['address.unchecked']]);
});

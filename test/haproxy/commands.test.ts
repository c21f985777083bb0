// What may reach the Runtime API (REQUIREMENTS 14): a hostile value is refused before anything is sent, or what is sent
// is exactly one harmless line. First by property, then against real HAProxys, whose state must not change.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isBerthError } from '../../shared/errors.ts';
import { plainAddress } from '../../shared/haproxy/address.ts';
import { type Command, commands, type WantedState } from '../../shared/haproxy/commands.ts';
import { createRuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { parseServersState } from '../../shared/haproxy/servers-state.ts';
import { haproxyVersions, startHaproxy } from '../bench/haproxy.ts';
import { until } from '../bench/wait.ts';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);

const evil = fc.constantFrom(
  ...[
    '',
    ' ',
    ';',
    '\n',
    '\r',
    '\t',
    '\0',
    '"',
    "'",
    '\\',
    '#',
    '$(id)',
    '%',
    '*',
    '/',
    '<<',
    '@1',
    '!',
    '|',
  ],
  ...[
    '; disable frontend app-in',
    '\ndisable frontend app-in',
    'node1 state maint;',
    '#1',
    '../..',
    'ünïcode',
    '…',
    '\u2028',
  ],
  ...[
    '\ud800',
    'x'.repeat(129),
    'y'.repeat(5000),
    '-',
    '--',
    '.',
    ':',
    'app/node1',
    'localhost',
    'a b',
    'set',
    'prompt',
  ],
);
const anyText = fc.oneof(
  evil,
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.tuple(fc.constantFrom('app', 'node1', '10.0.0.1'), evil).map((parts) => parts.join('')),
);
const anyAddress = fc.oneof(
  anyText,
  fc.ipV4(),
  fc.ipV6(),
  fc.ipV6().map((address) => `${address}%eth0`),
  fc.constantFrom(
    '0.0.0.0',
    '::',
    '0:0::0',
    '::ffff:10.0.0.1',
    '10.0.0.1/8',
    '010.0.0.1',
    '1.2.3',
    '[::1]',
    '1.2.3.4 port 5',
  ),
);
const anyPort = fc.oneof(
  fc.constantFrom(0, -1, 65_536, 99_999, Number.NaN, Number.POSITIVE_INFINITY, 80.5, 2 ** 53, -0, 1e-7),
  fc.integer(),
  fc.double(),
  // What types promise and the wire does not.
  fc.constantFrom<unknown>('80', '80; show info', null, undefined, [80], {}) as fc.Arbitrary<number>,
);
const anyState = fc.oneof(fc.constantFrom('ready', 'drain', 'maint'), anyText) as fc.Arbitrary<WantedState>;
const anyServer = fc.record({
  backend: fc.oneof({ weight: 2, arbitrary: fc.constant('app') }, { weight: 1, arbitrary: anyText }),
  name: fc.oneof({ weight: 2, arbitrary: fc.constant('node1') }, { weight: 2, arbitrary: anyText }),
});
const anyLock = anyServer.map(({ backend, name }) => ({ backend, name: `claim.${name}` }));

/** A command from hostile values: the line and the server that it names, or undefined when it was refused. */
const anyCommand = fc
  .tuple(
    fc.constantFrom('addr', 'state', 'lock', 'unlock', 'read', 'stat'),
    anyServer,
    anyLock,
    anyAddress,
    anyPort,
    anyState,
  )
  .map(([kind, server, lock, address, port, state]) => {
    const make = {
      addr: () => commands.setAddress(server, address, port),
      state: () => commands.setState(server, state),
      lock: () => commands.addLock(lock),
      unlock: () => commands.deleteLock(lock),
      read: () => commands.showServersState(server.backend),
      stat: () => commands.showServerStat(port, port),
    };
    const target = kind === 'lock' || kind === 'unlock' ? lock : server;
    return { kind, target, build: make[kind], values: { server, address, port, state } };
  });

const shapes = [
  /^set server [\w.:-]+\/[\w.:-]+ addr [0-9a-f.:]+ port [1-9]\d{0,4}$/,
  /^set server [\w.:-]+\/[\w.:-]+ state (?:ready|drain|maint)$/,
  /^(?:add|del) server [\w.:-]+\/claim\.[\w.:-]+(?: 127\.0\.0\.1:1)?$/,
  /^show servers state [\w.:-]+$/,
  /^show stat \d+ 4 \d+$/,
];

function built(build: () => Command): string | undefined {
  try {
    return build();
  } catch (error) {
    assert.ok(isBerthError(error, 'haproxy.unsafe-value'), String(error));
    assert.ok(error.message.length < 1000, 'the message of a refusal stays short');
    return undefined;
  }
}

test('hostile values are refused by name, or make exactly one harmless line', (t) => {
  t.diagnostic(`seed ${seed}; repeat with FC_SEED=${seed}`);
  let accepted = 0;
  fc.assert(
    fc.property(anyCommand, ({ build }) => {
      const line = built(build);
      if (line === undefined) return;
      accepted += 1;
      assert.ok(
        shapes.some((shape) => shape.test(line)),
        line,
      );
      assert.ok(line.length < 1000);
    }),
    { seed, numRuns: 3000 },
  );
  assert.ok(accepted > 100, 'good values go through');
});

const slot = { backend: 'app', name: 'node1' };
for (const [what, build] of Object.entries<() => Command>({
  'port 99999': () => commands.setAddress(slot, '10.0.0.1', 99_999),
  'port 0': () => commands.setAddress(slot, '10.0.0.1', 0),
  'port -1': () => commands.setAddress(slot, '10.0.0.1', -1),
  'port NaN': () => commands.setAddress(slot, '10.0.0.1', Number.NaN),
  'an address with a zone': () => commands.setAddress(slot, 'fe80::1%eth0', 80),
  'a host name as address': () => commands.setAddress(slot, 'localhost', 80),
  'the unspecified address': () => commands.setAddress(slot, '0:0::0', 80),
  'a command after the address': () => commands.setAddress(slot, '10.0.0.1; disable frontend app-in', 80),
  'a newline in the name': () => commands.setState({ backend: 'app', name: 'node1\nshow info' }, 'ready'),
  'a space in the backend': () => commands.showServersState('app st'),
  'deleting what is no lock row': () => commands.deleteLock(slot),
})) {
  test(`refused: ${what}`, () => assert.equal(built(build), undefined));
}

test('an address has one spelling, the one that HAProxy shows', () => {
  assert.equal(plainAddress('FD00:0:0::0002'), 'fd00::2');
  assert.equal(plainAddress('::FFFF:0a00:0001'), '10.0.0.1');
  assert.equal(plainAddress('10.0.0.1'), '10.0.0.1');
  assert.equal(plainAddress('no address'), 'no address');
  assert.equal(commands.setAddress(slot, 'FD00:0::2', 80), 'set server app/node1 addr fd00::2 port 80');
});

for (const version of haproxyVersions) {
  describe(`HAProxy ${version}`, () => {
    test('only the named server changes, whatever the values; a refused one changes nothing', async (t) => {
      t.diagnostic(`seed ${seed}; repeat with FC_SEED=${seed}`);
      await using haproxy = await startHaproxy({ version, config: { slots: 4 } });
      const api = createRuntimeApi({ name: 'lb', host: '', port: 0, path: haproxy.socket });
      const everything = async () => {
        const state = await haproxy.cli('show servers state');
        const frontends = await haproxy.cli('show stat -1 3 -1');
        return {
          // Without ages, and without what a check may find.
          servers: new Map(
            parseServersState({ severity: undefined, text: state }).map((row) => [
              `${row.backend}/${row.name}`,
              `${row.address} ${row.port} ${row.adminState}`,
            ]),
          ),
          statuses: frontends.split('\n').map((row) => row.split(',')[17]),
        };
      };
      await fc.assert(
        fc.asyncProperty(anyCommand, async ({ kind, target, build }) => {
          const before = await everything();
          const line = built(build);
          if (line !== undefined) {
            // As the client would: one reply for one command, else the transaction fails.
            const { replies } = await api.transact([line as Command]);
            assert.equal(replies.length, 1);
          }
          const after = await everything();
          if (line !== undefined) {
            const named = `${target.backend}/${target.name}`;
            before.servers.delete(named);
            after.servers.delete(named);
          }
          // A server that goes up or down takes the backend's status with it, never a frontend's.
          assert.deepEqual(after.servers, before.servers, `${kind}: ${line}`);
          assert.equal(after.statuses[1], before.statuses[1], `${kind}: ${line}`);
        }),
        { seed, numRuns: 120 },
      );
    });

    test('an IPv6 address is shown in the spelling that is looked for', async () => {
      await using haproxy = await startHaproxy({ version, config: { slots: 2 } });
      const api = createRuntimeApi({ name: 'lb', host: '', port: 0, path: haproxy.socket });
      await fc.assert(
        fc.asyncProperty(fc.ipV6(), async (address) => {
          fc.pre(!['::', '0.0.0.0'].includes(plainAddress(address)));
          await api.transact([commands.setAddress(slot, address, 80)]);
          // From 2.9 on the address is applied later than it is answered.
          await until(
            async () => {
              const { replies } = await api.transact([commands.showServersState('app')]);
              const [row] = replies.flatMap((reply) => parseServersState(reply));
              return row?.address === plainAddress(address);
            },
            { what: `node1 shows ${plainAddress(address)}`, deadlineMs: 2000, everyMs: 1 },
          );
        }),
        { seed, numRuns: 60 },
      );
    });
  });
}

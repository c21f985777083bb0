// What dynamic mode puts onto HAProxy's command line: names, addresses, parameters. Nothing else ever gets there.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readConfig } from '../../agent/config.ts';
import { isBerthError } from '../../shared/errors.ts';
import { commands } from '../../shared/haproxy/commands.ts';
import { dynamicApp, dynamicName, isDynamic } from '../../shared/haproxy/dynamic-servers.ts';
import { parseServerParameters } from '../../shared/haproxy/server-parameters.ts';
import { haproxyVersions, startHaproxy } from '../bench/haproxy.ts';

const address = fc.oneof(fc.ipV4(), fc.ipV6()).filter((text) => text !== '0.0.0.0' && !text.includes('%'));
const port = fc.integer({ min: 1, max: 65_535 });
const prefix = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,64}$/);
const hostile = fc.oneof(
  fc.string(),
  fc.constantFrom(
    'check; disable frontend app-in',
    'check\nset server app/x state maint',
    'check inter 5s;',
    'port 99999',
    'maxconn -3',
    'weight 1.5',
    'weight 257',
    'check check',
    'inter',
    'inter check',
    '__proto__',
    'constructor',
    'ca-file /etc/shadow',
    'source 0.0.0.0',
    'cookie abc',
    'check\tinter 5s',
    'track app/node1',
    'disabled',
    'enabled',
    'id 7',
  ),
);

describe('names', () => {
  test('a name tells its app, whatever the prefix and the spelling of the address', () => {
    fc.assert(
      fc.property(prefix, address, port, (text, at, number) => {
        const name = dynamicName(text, { address: at, port: number });
        const app = dynamicApp(name);
        assert.ok(app, name);
        assert.equal(dynamicName(text, app), name);
        assert.equal(app.port, number);
      }),
    );
  });

  test('what a template or somebody calls a server is no such name', () => {
    for (const name of [
      'node1',
      'node-1',
      'web-a-8080',
      'node-10.0.0.5',
      'node-10.0.0.5:0',
      'node-10.0.0.5:99999',
      'node-10.0.0.5:080000',
      'node-10.0.0.256:80',
      '-10.0.0.5:80',
      '10.0.0.5:80',
      'node-FD00::7:80',
      'claim.node1',
      'node-:80',
    ])
      assert.equal(dynamicApp(name), undefined, name);
    assert.equal(isDynamic({ name: 'node-10.0.0.5:80', templated: true }), false);
  });
});

describe('parameters', () => {
  test('known words with values that HAProxy means, and nothing else', () => {
    const good = [
      '',
      'check',
      'check inter 5s  maxconn 8000 weight 100',
      'check-ssl ssl verify none',
      'check port 80',
    ];
    for (const text of good) assert.equal(parseServerParameters(text), text.replaceAll('  ', ' '));
    fc.assert(
      fc.property(hostile, (text) => {
        const parsed = parseServerParameters(text);
        if (parsed === undefined) return;
        assert.match(parsed, /^(?:[a-z0-9-]+(?: [a-z0-9-]+)*)?$/);
        assert.equal(parseServerParameters(parsed), parsed);
      }),
      { numRuns: 2000 },
    );
  });

  test('a command is one line of known words, or is not made', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, fc.integer(), (backend, name, parameters, number) => {
        try {
          const line = commands.addServer({ backend, name }, { address: name, port: number }, parameters);
          assert.match(line, /^add server [A-Za-z0-9_.:-]+\/[A-Za-z0-9_.:-]+ \S+ disabled[a-z0-9 -]*$/);
        } catch (error) {
          assert.ok(isBerthError(error, 'haproxy.unsafe-value'), String(error));
        }
      }),
      { numRuns: 2000 },
    );
    const slot = { backend: 'app', name: 'node1' };
    for (const act of [
      () => commands.deleteServer(slot),
      () => commands.enableHealth(slot),
      () => commands.addServer(slot, { address: '10.0.0.1', port: 80 }, 'check'),
      () => commands.deleteServer({ backend: 'app', name: 'node-10.0.0.1:80;x' }),
      () =>
        commands.addServer(
          { backend: 'app', name: 'node-10.0.0.1:80' },
          { address: '10.0.0.1', port: 99_999 },
          '',
        ),
    ])
      assert.throws(act, (error) => isBerthError(error, 'haproxy.unsafe-value'));
  });

  for (const version of haproxyVersions) {
    test(`HAProxy ${version} takes every known word`, async () => {
      await using haproxy = await startHaproxy({
        version,
        config: { backends: [{ name: 'app', slots: 0 }] },
      });
      const all = [
        'check inter 5s fastinter 1s downinter 10s rise 2 fall 3 port 80 slowstart 10s weight 256',
        'maxconn 8000 minconn 10 maxqueue 100 backup pool-max-conn 10 pool-low-conn 1 pool-purge-delay 5s',
        'check observe layer7 error-limit 10 on-error mark-down',
        'check on-marked-down shutdown-sessions on-marked-up shutdown-backup-sessions',
        'ssl verify none check-ssl check send-proxy-v2 check-send-proxy',
        'send-proxy weight 0',
        'proto h2',
        'proto h1 weight 100',
        '',
      ];
      for (const [index, parameters] of all.entries()) {
        assert.equal(parseServerParameters(parameters), parameters);
        const app = { address: '10.0.0.1', port: index + 1 };
        const line = commands.addServer({ backend: 'app', name: dynamicName('node', app) }, app, parameters);
        assert.match(await haproxy.cli(line), /New server registered/, line);
      }
      const six = { address: 'fd00::7', port: 80 };
      const line = commands.addServer({ backend: 'app', name: dynamicName('node', six) }, six, 'check');
      assert.match(await haproxy.cli(line), /New server registered/, line);
    });
  }
});

describe('configuration', () => {
  const least = { HAPROXY_SERVER: 'lb', BERTH_APP_PORT: '8080', HAPROXY_MODE: 'dynamic' };
  const read = (env: Record<string, string>) =>
    readConfig({ ...least, ...env }, () => {
      throw new Error('ENOENT');
    });

  test('dynamic mode needs no NODE_COUNT, and says that a given one does nothing', () => {
    assert.deepEqual([read({}).problems, read({}).warnings], [[], []]);
    assert.deepEqual(read({ NODE_COUNT: '100' }).problems, []);
    assert.deepEqual(read({ NODE_COUNT: '100' }).warnings, [
      'NODE_COUNT does nothing in dynamic mode (HAPROXY_MODE)',
    ]);
    assert.match(read({ HAPROXY_MODE: 'template' }).problems[0] ?? '', /^NODE_COUNT is not set/);
    assert.deepEqual(
      read({ HAPROXY_MODE: 'template', NODE_COUNT: '1', HAPROXY_SERVER_PARAMETERS: 'check' }).warnings,
      ['HAPROXY_SERVER_PARAMETERS does nothing in template mode (HAPROXY_MODE)'],
    );
  });

  test('hostile parameters, a prefix that leaves no room, a gate without a check', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const { config } = read({ HAPROXY_SERVER_PARAMETERS: text });
        if (config?.haproxy.parameters !== undefined)
          assert.match(config.haproxy.parameters, /^[a-z0-9 -]*$/);
      }),
    );
    assert.match(
      read({ HAPROXY_SERVER_PARAMETERS: 'check;' }).problems[0] ?? '',
      /^HAPROXY_SERVER_PARAMETERS is/,
    );
    assert.match(
      read({ HAPROXY_SLOT_PREFIX: 'x'.repeat(65) }).problems[0] ?? '',
      /^HAPROXY_SLOT_PREFIX has 65/,
    );
    const gate = { BERTH_GATE: 'haproxy', HAPROXY_SERVER_PARAMETERS: 'maxconn 10' };
    assert.match(read(gate).problems[0] ?? '', /^BERTH_GATE is "haproxy".*give check/);
    assert.deepEqual(read({ BERTH_GATE: 'haproxy' }).problems, []);
  });
});

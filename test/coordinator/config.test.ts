import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Config, type ConfigReading, readConfig } from '../../coordinator/config/read-config.ts';

type Files = Record<string, string>;

function read(env: Record<string, string>, files: Files = {}): ConfigReading {
  const path = Object.keys(files).find((name) => name.endsWith('.yaml'));
  return readConfig({
    env,
    path,
    readFile: (name) => {
      const text = files[name];
      if (text === undefined) throw new Error('ENOENT: no such file');
      return text;
    },
  });
}

function good(env: Record<string, string>, files: Files = {}): Config {
  const { config, problems } = read(env, files);
  assert.deepEqual(problems, []);
  assert.ok(config !== undefined);
  return config;
}

const least = { HAPROXY_SERVER: 'lb1' };
const yaml = (text: string): Files => ({ 'berth.yaml': text });

describe('the configuration', () => {
  it('needs nothing but the address of HAProxy', () => {
    const config = good(least);
    assert.deepEqual(config.haproxys, [{ name: 'lb1:9999', host: 'lb1', port: 9999 }]);
    assert.deepEqual(config.listen, { host: '0.0.0.0', port: 7070 });
    assert.equal(config.heartbeatMs, 1000);
    assert.equal(config.observeMs, 200);
    assert.equal(config.auditKeepMs, 90 * 86_400_000);
    assert.equal(config.database.name, 'sqlite:/data/berth.db');
    assert.equal(config.auditJournal, '/data/audit-journal.jsonl');
    assert.equal(config.slotPrefix, 'node');
  });

  it('listens on loopback only without a token, and says so', () => {
    const bare = read(least);
    assert.deepEqual(bare.config?.bind, { host: '127.0.0.1', port: 7070 });
    assert.match(bare.warnings.join(), /without BERTH_TOKEN only 127\.0\.0\.1 is listened on/);
    assert.deepEqual(read({ ...least, BERTH_LISTEN: '[::]:80' }).config?.bind, { host: '::1', port: 80 });
    const local = read({ ...least, BERTH_LISTEN: '127.0.0.1:0' });
    assert.deepEqual(local.config?.bind, { host: '127.0.0.1', port: 0 });
    assert.deepEqual(local.warnings, []);
    const open = read({ ...least, BERTH_TOKEN: 's' });
    assert.deepEqual(open.config?.bind, { host: '0.0.0.0', port: 7070 });
    assert.deepEqual(open.warnings, []);
  });

  it('reads a YAML file, with the environment going before it', () => {
    const files = yaml(
      [
        'haproxy:',
        '  server: [lb1, "lb2:9998"]',
        '  port: 9000',
        '  nodeCount: 100',
        'listen: 127.0.0.1:8080',
        'database: sqlite:./x/berth.db',
        'agents: { heartbeat: 500ms }',
        'metricsOpen: yes',
        'name:',
      ].join('\n'),
    );
    const config = good({ HAPROXY_PORT: '9001' }, files);
    assert.deepEqual(
      config.haproxys.map((endpoint) => endpoint.name),
      ['lb1:9001', 'lb2:9998'],
    );
    assert.equal(config.nodeCount, 100);
    assert.equal(config.heartbeatMs, 500);
    assert.equal(config.metricsOpen, true);
    assert.equal(config.auditJournal, 'x/audit-journal.jsonl');
  });

  it('reads secrets from files, named by variable or key, and does not show them', () => {
    assert.equal(good({ ...least, BERTH_TOKEN_FILE: '/t' }, { '/t': 'hush\n' }).token, 'hush');
    assert.equal(good(least, { ...yaml('tokenFile: /t'), '/t': 'hush' }).token, 'hush');
    assert.equal(good({ ...least, BERTH_TOKEN: 'a', BERTH_AGENT_TOKEN: 'b' }).agentToken, 'b');
    const alone = readConfig({
      env: { ...least, BERTH_AGENT_TOKEN: 'b' },
      path: undefined,
      readFile: () => '',
    });
    assert.match(alone.problems.join(), /BERTH_AGENT_TOKEN is set without BERTH_TOKEN/);
    const database = good(
      { ...least, BERTH_DATABASE_FILE: '/d' },
      { '/d': 'postgres://u:hush@db/berth' },
    ).database;
    assert.equal(database.name, 'postgres://db/berth');
    const { problems } = read({
      ...least,
      BERTH_TOKEN: 'hush hush',
      BERTH_DATABASE: 'mysqll://u:hush@db/berth',
    });
    assert.equal(problems.length, 2);
    assert.doesNotMatch(problems.join('\n'), /hush/);
  });

  it('never shows a key that is not plain PEM text', () => {
    for (const key of [
      '"-----BEGIN PRIVATE KEY-----\\nMIIEvQhush"',
      '"-----BEGIN x\nMIIEvQhush"',
      'MIIEvQhush=',
    ])
      for (const name of ['HAPROXY_TLS_KEY', 'HAPROXY_TLS_CA', 'HAPROXY_TLS_KEY_FILE', 'BERTH_TOKEN_FILE']) {
        const { problems } = read({ ...least, [name]: key });
        assert.match(problems.join('\n'), new RegExp(`^${name} .*(?:PEM|path)`, 'm'));
        assert.doesNotMatch(problems.join(), /hush/);
      }
  });

  it('takes TLS files by path or as PEM text', () => {
    const pem = '-----BEGIN CERTIFICATE-----\nx';
    const config = good(
      { ...least, HAPROXY_TLS_CA: '/ca.pem', HAPROXY_TLS_CERT: pem, HAPROXY_TLS_KEY: pem },
      { '/ca.pem': 'CA' },
    );
    assert.deepEqual(config.haproxys[0]?.tls, { ca: 'CA', cert: pem, key: pem });
  });

  it('mentions a variable that is one slip away from one of its own', () => {
    const { warnings } = read({
      ...least,
      BERTH_TOKEN: 's',
      BERTH_LISTN: 'x',
      BERTH_GATE: 'app',
      BERTH_STARTUP: 'tcp',
    });
    assert.deepEqual(warnings, ['BERTH_LISTN does nothing: did you mean BERTH_LISTEN?']);
  });
});

describe('a configuration that cannot be used', () => {
  const cases: [string, Record<string, string>, Files, RegExp][] = [
    ['no HAProxy', {}, {}, /^HAPROXY_SERVER is not set: give a host or several/],
    ['a misspelt variable', { HAPROXY_SERVR: 'lb1' }, {}, /HAPROXY_SERVR is set: is it a misspelling/],
    ['an empty variable', { HAPROXY_SERVER: '' }, {}, /^HAPROXY_SERVER is not set/],
    [
      'a port out of range',
      { ...least, HAPROXY_PORT: '99999' },
      {},
      /^HAPROXY_PORT is "99999", which cannot be used: give a port/,
    ],
    ['an injected command', { HAPROXY_SERVER: 'lb1;shutdown' }, {}, /"lb1;shutdown" is not a host name/],
    ['a newline', { ...least, HAPROXY_BACKEND: 'app\ndisable' }, {}, /^HAPROXY_BACKEND is "app\\ndisable"/],
    ['an empty entry in a list', { HAPROXY_SERVER: 'lb1,,lb2' }, {}, /HAPROXY_SERVER: ""/],
    ['a listen address by name', { ...least, BERTH_LISTEN: 'example.com:80' }, {}, /^BERTH_LISTEN is/],
    [
      'a duration without sense',
      { ...least, BERTH_HEARTBEAT: '1 fortnight' },
      {},
      /^BERTH_HEARTBEAT is .* from 100ms to 60s/,
    ],
    ['a duration out of range', { ...least, BERTH_HEARTBEAT: '1ms' }, {}, /^BERTH_HEARTBEAT is "1ms"/],
    ['a huge number', { ...least, NODE_COUNT: '1e99' }, {}, /^NODE_COUNT is "1e99"/],
    ['a negative number', { ...least, NODE_COUNT: '-1' }, {}, /^NODE_COUNT is "-1"/],
    ['a very long value', { ...least, BERTH_NAME: 'x'.repeat(1000) }, {}, /^BERTH_NAME is "x{80}…"/],
    [
      'a certificate without its key',
      { ...least, HAPROXY_TLS_CERT: '-----BEGIN' },
      {},
      /^HAPROXY_TLS_CERT is set without HAPROXY_TLS_KEY/,
    ],
    [
      'a TLS file that is not there',
      { ...least, HAPROXY_TLS_CA: '/none' },
      {},
      /^HAPROXY_TLS_CA is "\/none", which cannot be read/,
    ],
    [
      'a secret twice',
      { ...least, BERTH_TOKEN: 'a', BERTH_TOKEN_FILE: '/t' },
      { '/t': 'b' },
      /^BERTH_TOKEN and BERTH_TOKEN_FILE are both set/,
    ],
    [
      'a secret file that is not there',
      { ...least, BERTH_TOKEN_FILE: '/t' },
      {},
      /^BERTH_TOKEN_FILE is "\/t", which cannot be read/,
    ],
    [
      'an unknown key',
      least,
      yaml('lissten: 1'),
      /^berth\.yaml:1:1: there is no option lissten: did you mean listen\?/,
    ],
    [
      'an unknown key inside',
      least,
      yaml('haproxy:\n  prt: 1'),
      /^berth\.yaml:2:3: there is no option haproxy\.prt: did you mean haproxy\.port\?/,
    ],
    [
      'a key at the wrong level',
      least,
      yaml('slotPrefix: web'),
      /^berth\.yaml:1:1: .*did you mean haproxy\.slotPrefix\?/,
    ],
    [
      'a bad value in the file',
      {},
      yaml('haproxy:\n  server: lb1\n  port: none'),
      /^berth\.yaml:3:9: haproxy\.port is "none", which cannot be used/,
    ],
    ['a value where keys belong', {}, yaml('haproxy: lb1'), /^berth\.yaml:1:10: haproxy must hold keys/],
    [
      'keys where a value belongs',
      least,
      yaml('listen: {host: x}'),
      /^berth\.yaml:1:9: listen must be a value/,
    ],
    ['a doubled key', least, yaml('name: a\nname: b'), /^berth\.yaml:2:1: Map keys must be unique/],
    ['YAML that is none', least, yaml('a: [b'), /^berth\.yaml:1:/],
    ['a list for a file', least, yaml('- a'), /^berth\.yaml:1:1: the file must hold keys/],
    ['an alias to nothing', least, yaml('name: *x'), /^berth\.yaml:1:7/],
  ];
  for (const [what, env, files, expected] of cases) {
    it(`is refused with its place and its mend: ${what}`, () => {
      const { config, problems } = read(env, files);
      assert.equal(config, undefined);
      assert.match(problems[0] ?? '', expected);
      for (const problem of problems) assert.doesNotMatch(problem, /\n/);
    });
  }

  it('is refused with all its problems at once', () => {
    const { problems } = read(
      { NODE_COUNT: 'x', BERTH_LISTEN: 'y', BERTH_DATABASE: 'z' },
      yaml('a: 1\nb: 2'),
    );
    assert.equal(problems.length, 6);
  });

  it('is refused when its file is not there', () => {
    const reading = readConfig({ env: least, path: '/etc/none.yaml', readFile: () => assert.fail('ENOENT') });
    assert.match(reading.problems.join(), /\/etc\/none\.yaml cannot be read/);
  });
});

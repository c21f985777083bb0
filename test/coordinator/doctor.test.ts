import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { checkSlots, type HaproxySeen } from '../../coordinator/cli/doctor/check-slots.ts';
import type { Finding } from '../../coordinator/cli/doctor/finding.ts';
import { lintHaproxyConfig } from '../../coordinator/cli/doctor/lint-haproxy-config.ts';
import { type Haproxy, haproxyVersions, startHaproxy, templateConfig } from '../bench/haproxy.ts';
import { startCoordinator, temporaryFolder } from './coordinator-bench.ts';
import { runBerth } from './run-berth.ts';

type Expected = [status: Finding['status'], check: RegExp, seen: RegExp, mend?: RegExp];

async function examine(
  env: Record<string, string>,
  args: string[] = [],
): Promise<{ code: number; items: Finding[] }> {
  const common = {
    BERTH_DATABASE: `sqlite:${join(tmpdir(), 'none.db')}`,
    DOCKER_HOST: 'unix:///none.sock',
    BERTH_URL: 'http://127.0.0.1:1',
  };
  const { code, out } = await runBerth(['doctor', '-o', 'json', ...args], { ...common, ...env });
  return { code, items: JSON.parse(out).items };
}

function found(items: readonly Finding[], [status, check, seen, mend]: Expected): void {
  const near = items.filter((item) => check.test(item.check));
  const hit = near.find((item) => item.status === status && seen.test(item.seen));
  assert.ok(hit !== undefined, `${status} ${check} ${seen} is not among ${JSON.stringify(near, null, 1)}`);
  if (mend !== undefined) assert.match(hit.mend ?? '', mend);
  if (status !== 'ok') assert.ok((hit.mend ?? '').length > 10, `no mend for ${hit.check}: ${hit.seen}`);
}

const runtimeApi = (haproxy: Haproxy) => `${haproxy.address}:${haproxy.cliPort}`;

function trapConfig(template: string, lines: string[] = []) {
  return (paths: Parameters<ReturnType<typeof templateConfig>>[0]) =>
    [
      'global',
      `  stats socket ${paths.socket} level admin`,
      `  stats socket ipv4@${paths.address}:${paths.cliPort} level admin`,
      '  stats maxconn 1000',
      'defaults',
      '  mode http',
      '  timeout connect 1s',
      '  timeout client 1s',
      '  timeout server 1s',
      'frontend in',
      `  bind ${paths.address}:${paths.httpPort('in')}`,
      '  default_backend app',
      'backend app',
      ...lines,
      `  server-template ${template}`,
      '',
    ].join('\n');
}

for (const version of haproxyVersions) {
  describe(`the doctor at HAProxy ${version}`, () => {
    it('finds nothing wrong where nothing is', async () => {
      await using haproxy = await startHaproxy({ version, config: { slots: 20 } });
      const { items } = await examine({ HAPROXY_SERVER: runtimeApi(haproxy), NODE_COUNT: '20' });
      const own = items.filter(({ check }) => check.startsWith('haproxy'));
      assert.deepEqual(
        own.filter(({ status }) => status !== 'ok'),
        [],
      );
      assert.equal(own.length, 7);
      found(items, ['ok', /slots$/, /^app: node1 to node20$/]);
      found(items, ['ok', /backend app$/, /^20 slots, roundrobin$/]);
    });

    const traps: [string, string, Record<string, string>, string[], Expected][] = [
      [
        'the en dash',
        'node 1–20 localhost:3128 check disabled',
        { NODE_COUNT: '20' },
        [],
        ['fail', /slots$/, /NODE_COUNT is 20, but backend app has 1 slot/, /plain hyphen/],
      ],
      [
        'the en dash, without NODE_COUNT',
        'node 1–20 localhost:3128 check disabled',
        {},
        [],
        ['warn', /slots$/, /one slot only/, /plain hyphen/],
      ],
      [
        'a template that is too small',
        'node 1-5 localhost:3128 check disabled',
        { NODE_COUNT: '20' },
        [],
        ['fail', /slots$/, /has 5 slots/],
      ],
      [
        'another prefix',
        'web 1-5 localhost:3128 check disabled',
        { NODE_COUNT: '5' },
        [],
        ['fail', /slots$/, /no backend of HAProxy has slots called node1/, /HAPROXY_SLOT_PREFIX/],
      ],
      [
        'another backend',
        'node 1-5 localhost:3128 check disabled',
        { NODE_COUNT: '5', HAPROXY_BACKEND: 'shop' },
        [],
        ['fail', /slots$/, /no backend shop.*it has: app/],
      ],
      [
        'an IP address in the template',
        'node 1-5 127.0.0.1:3128 check disabled',
        { NODE_COUNT: '5' },
        [],
        ['warn', /backend app$/, /IP address/, /localhost:3128/],
      ],
      [
        'init-addr none',
        'node 1-5 localhost:3128 check disabled init-addr none',
        { NODE_COUNT: '5' },
        [],
        ['fail', /backend app$/, /5 slots have no address/, /init-addr last,libc,none/],
      ],
      [
        'no check',
        'node 1-5 localhost:3128 disabled',
        { NODE_COUNT: '5' },
        [],
        ['warn', /backend app$/, /not checked/],
      ],
      [
        'slots in traffic',
        'node 1-5 localhost:3128 check',
        { NODE_COUNT: '5' },
        [],
        ['fail', /backend app$/, /5 slots take traffic/, /disabled/],
      ],
      [
        'a hash without a place for locks',
        'node 1-5 localhost:3128 check disabled',
        { NODE_COUNT: '5' },
        ['  balance source'],
        ['fail', /backend app$/, /balanced by source/, /berth-locks/],
      ],
    ];
    for (const [what, template, env, lines, expected] of traps) {
      it(`names ${what}`, async () => {
        await using haproxy = await startHaproxy({ version, config: trapConfig(template, lines) });
        const { code, items } = await examine({ HAPROXY_SERVER: runtimeApi(haproxy), ...env });
        found(items, expected);
        assert.equal(
          code === 1,
          items.some(({ status }) => status === 'fail'),
        );
      });
    }

    it('has nothing against a template that is balanced by random', async () => {
      const template = 'node 1-5 localhost:3128 check disabled';
      await using haproxy = await startHaproxy({
        version,
        config: trapConfig(template, ['  balance random']),
      });
      const { items } = await examine({ HAPROXY_SERVER: runtimeApi(haproxy), NODE_COUNT: '5' });
      found(items, ['ok', /backend app$/, /^5 slots/]);
    });

    it('knows dynamic mode: a backend that takes servers, one that does not, none, several, one that is not there', async () => {
      const open = { name: 'open', slots: 0 };
      const hashed = { name: 'hashed', slots: 0, balance: 'source' };
      await using haproxy = await startHaproxy({ version, config: { backends: [open, hashed] } });
      const env = { HAPROXY_SERVER: runtimeApi(haproxy), HAPROXY_MODE: 'dynamic' };
      found((await examine(env)).items, ['ok', /backend open$/, /has 0$/]);
      const at = async (backend: string) => (await examine({ ...env, HAPROXY_BACKEND: backend })).items;
      found(await at('hashed'), ['fail', /backend hashed$/, /balanced by source/, /balance roundrobin/]);
      found(await at('shop'), ['fail', /backend shop$/, /it has: open, hashed/, /HAPROXY_BACKEND/]);
      await haproxy.cli('add server open/node-10.0.0.5:80 10.0.0.5:80 disabled check');
      // What is there tells the mode by itself.
      const { HAPROXY_SERVER } = env;
      found((await examine({ HAPROXY_SERVER })).items, ['ok', /backend open$/, /has 1$/]);
      await haproxy.cli('add server open/node-10.0.0.6:80 10.0.0.6:80 disabled');
      found((await examine(env)).items, [
        'warn',
        /backend open$/,
        /1 of its servers are not checked/,
        /check inter/,
      ]);
      await using two = await startHaproxy({
        version,
        config: { backends: [open, { name: 'more', slots: 0 }] },
      });
      found((await examine({ ...env, HAPROXY_SERVER: runtimeApi(two) })).items, [
        'fail',
        /dynamic servers$/,
        /open, more/,
        /HAPROXY_BACKEND/,
      ]);
    });

    it('names several backends with such slots, and takes HAPROXY_BACKEND for an answer', async () => {
      const config = { slots: 5, backends: [{ name: 'app' }, { name: 'shop' }] };
      await using haproxy = await startHaproxy({ version, config });
      const env = { HAPROXY_SERVER: runtimeApi(haproxy), NODE_COUNT: '5' };
      found((await examine(env)).items, ['fail', /slots$/, /several backends.*app, shop/, /HAPROXY_BACKEND/]);
      found((await examine({ ...env, HAPROXY_BACKEND: 'shop' })).items, [
        'ok',
        /slots$/,
        /^shop: node1 to node5$/,
      ]);
    });

    it('names a stats socket without admin rights', async () => {
      const config = (paths: Parameters<ReturnType<typeof templateConfig>>[0]) =>
        templateConfig({ slots: 5 })(paths).replace(
          `${paths.cliPort} level admin`,
          `${paths.cliPort} level operator`,
        );
      await using haproxy = await startHaproxy({ version, config });
      const { code, items } = await examine({ HAPROXY_SERVER: runtimeApi(haproxy), NODE_COUNT: '5' });
      assert.equal(code, 1);
      found(items, ['fail', /access level$/, /^operator$/, /level admin/]);
    });

    it('names a small stats maxconn, by trying, and leaves no connection behind', async () => {
      await using haproxy = await startHaproxy({ version, config: { slots: 5, statsMaxconn: 10 } });
      const env = { HAPROXY_SERVER: runtimeApi(haproxy), NODE_COUNT: '5' };
      for (let round = 0; round < 2; round += 1) {
        found((await examine(env)).items, [
          'warn',
          /stats maxconn$/,
          /^(?:8|9|10) connections at once/,
          /stats maxconn 1000/,
        ]);
      }
    });
  });
}

describe('the doctor', () => {
  it('names an HAProxy that is not there, a name that is none, and something else that answers', async (t) => {
    found((await examine({ HAPROXY_SERVER: '127.0.0.1:1' })).items, [
      'fail',
      /runtime API$/,
      /cannot be reached/,
      /stats socket/,
    ]);
    found((await examine({ HAPROXY_SERVER: 'no-such-host.invalid' })).items, [
      'fail',
      /name$/,
      /does not resolve/,
    ]);
    const port = await startHttp(t, 200, 'hello');
    found((await examine({ HAPROXY_SERVER: `127.0.0.1:${port}` })).items, [
      'fail',
      /runtime API$/,
      /closed the connection|cannot be read|gave 0/,
      /Runtime API/,
    ]);
  });

  it('names every problem of the configuration, and looks at the rest', async () => {
    const { code, items } = await examine({ HAPROXY_PORT: 'x', BERTH_HEARTBEAT: 'y' });
    assert.equal(code, 1);
    found(items, ['fail', /^configuration$/, /HAPROXY_SERVER is not set/]);
    found(items, ['fail', /^configuration$/, /HAPROXY_PORT is "x"/]);
    found(items, ['warn', /^coordinator/, /no coordinator answers/]);
  });

  it('names a database that cannot be used, and makes none', async (t) => {
    const folder = temporaryFolder(t, 'berth-doctor-');
    const env = { HAPROXY_SERVER: '127.0.0.1:1' };
    const at = (path: string) => ({ ...env, BERTH_DATABASE: `sqlite:${path}` });
    found((await examine(at(join(folder, 'none', 'berth.db')))).items, [
      'fail',
      /^database/,
      /cannot be written/,
      /BERTH_DATABASE/,
    ]);
    found((await examine(at(join(folder, 'berth.db')))).items, ['ok', /^database/, /not there yet/]);
    assert.deepEqual(readdirSync(folder), []);
    const database = new DatabaseSync(join(folder, 'berth.db'));
    t.after(() => database.close());
    database.exec('pragma journal_mode = wal; create table x (y)');
    const here = at(join(folder, 'berth.db'));
    found((await examine(here)).items, ['ok', /^database/, /tables are made by the first coordinator/]);
    database.exec('create table agents (id text)');
    found((await examine(here)).items, ['ok', /^database/, /can be written/]);
    database.exec('begin immediate');
    found((await examine(at(join(folder, 'berth.db')))).items, [
      'fail',
      /^database/,
      /locked/,
      /end the program/,
    ]);
    writeFileSync(join(folder, 'text.db'), 'this is not a database, it is a text file that is long enough');
    found((await examine(at(join(folder, 'text.db')))).items, ['fail', /^database/, /not a database/]);
    found((await examine({ ...env, BERTH_DATABASE: 'mysql://u:p@127.0.0.1:1/berth' })).items, [
      'fail',
      /^database mysql:\/\/127\.0\.0\.1:1\/berth$/,
      /ECONNREFUSED/,
    ]);
    found((await examine({ ...env, BERTH_DATABASE: 'postgres://u:p@127.0.0.1:1/berth' })).items, [
      'fail',
      /^database/,
      /ECONNREFUSED/,
    ]);
  });

  it('names a disk that is nearly full', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'berth-doctor-'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
    t.after(() => {
      spawnSync('umount', [folder]);
      rmSync(folder, { recursive: true });
    });
    assert.equal(mounted.status, 0, `this test needs root, to mount a small tmpfs: ${mounted.stderr}`);
    const { items } = await examine({
      HAPROXY_SERVER: '127.0.0.1:1',
      BERTH_DATABASE: `sqlite:${join(folder, 'berth.db')}`,
    });
    found(items, ['warn', /^database/, /^[01] MB are free/, /make room/]);
  });

  it('names a coordinator that is away, is something else, has another token, or is not well', async (t) => {
    const env = { HAPROXY_SERVER: '127.0.0.1:1' };
    found((await examine(env)).items, ['warn', /^coordinator/, /no coordinator answers/]);
    const other = await startHttp(t, 200, '{"hello": 1}');
    found((await examine({ ...env, BERTH_URL: `http://127.0.0.1:${other}` })).items, [
      'warn',
      /^coordinator/,
      /something else/,
    ]);
    const bench = await startCoordinator(t, { env: { BERTH_TOKEN: 'secret' } });
    const { items } = await examine({ ...env, BERTH_URL: bench.url, BERTH_TOKEN: 'other' });
    found(items, ['fail', /token$/, /another token/, /BERTH_TOKEN/]);
    found(items, ['warn', /^coordinator .*haproxy/, /cannot be reached|no HAProxy/]);
  });

  it('tells of Docker, which is not needed for slots', async (t) => {
    const env = { HAPROXY_SERVER: '127.0.0.1:1' };
    found((await examine(env)).items, ['warn', /^docker$/, /none\.sock/, /only needed where/]);
    const port = await startHttp(t, 200, '[]');
    found((await examine({ ...env, DOCKER_HOST: `tcp://127.0.0.1:${port}` })).items, [
      'ok',
      /^docker$/,
      /answers, 0 containers/,
    ]);
    const listed = JSON.stringify([
      {
        Id: 'a'.repeat(64),
        Names: ['/web_1'],
        Image: 'x',
        ImageID: 'x',
        Created: 0,
        State: 'running',
        Status: 'Up',
        Labels: { 'berth.sevice': 'web' },
      },
    ]);
    const lab = { name: 'lab', host: `tcp://127.0.0.1:${await startHttp(t, 200, listed)}` };
    const away = { name: 'away', host: 'tcp://127.0.0.1:1' };
    const { items } = await examine({ ...env, BERTH_DOCKER_HOSTS: JSON.stringify([lab, away]) });
    found(items, ['ok', /^docker lab$/, /answers, 1 containers/]);
    found(items, [
      'warn',
      /^docker lab: container web_1$/,
      /berth\.sevice="web" is not a label/,
      /did you mean berth\.service/,
    ]);
    found(items, ['fail', /^docker away$/, /ECONNREFUSED|answers/]);
  });

  it('names an old version and a clock that is apart', () => {
    const wall = 1_800_000_000_000;
    const seen = (version: string, secondsAhead: number): HaproxySeen => ({
      name: 'lb1',
      info: {
        version,
        pid: 1,
        startTime: wall / 1000 - 100 + secondsAhead,
        uptimeSeconds: 100,
        stopping: false,
      },
      level: 'admin',
      rows: [],
      stats: [],
    });
    const check = (version: string, secondsAhead: number) =>
      checkSlots(seen(version, secondsAhead), { backend: undefined, prefix: 'node', count: undefined }, wall);
    found(check('2.4.22', 0), ['fail', /version$/, /2\.4\.22/, /2\.6 or later/]);
    found(check('unknown', 0), ['warn', /version$/, /no version/]);
    found(check('3.4-dev3', 0), ['ok', /version$/, /3\.4-dev3/]);
    found(check('3.0.0', 90), ['warn', /clock$/, /90 s ahead/, /time service/]);
    found(check('3.0.0', -90), ['warn', /clock$/, /90 s behind/]);
    found(check('3.0.0', 2), ['ok', /clock$/, /the same/]);
  });

  it('reads as lines for people, each with its mend', async () => {
    const env = {
      HAPROXY_SERVER: '127.0.0.1:1',
      DOCKER_HOST: 'unix:///none.sock',
      BERTH_URL: 'http://127.0.0.1:1',
    };
    const { code, out } = await runBerth(['doctor'], { ...env, BERTH_DATABASE: 'sqlite:/none/berth.db' });
    assert.equal(code, 1);
    assert.match(out, /^fail {2}haproxy 127\.0\.0\.1:1: runtime API: .*\n {6}mend: is `stats socket/m);
    assert.match(out, /\n\n0 ok, \d+ to think about, \d+ failed\n$/);
  });
});

describe('the reading of haproxy.cfg', () => {
  const good = [
    'global',
    '  stats socket /run/haproxy/admin.sock mode 660 level admin',
    '  stats maxconn 1000',
    'defaults',
    '  mode http',
    '  default-server check inter 5s',
    'backend app',
    '  balance leastconn',
    '  server-template node 1-100 localhost:3128 disabled init-addr last,libc,none # the slots',
  ].join('\n');
  const lint = (text: string, count?: number) => lintHaproxyConfig('haproxy.cfg', text, count);
  const cases: [string, string, Expected][] = [
    ['an en dash', good.replace('1-100', '1–100'), ['fail', /cfg:9$/, /range "1–100"/, /plain hyphen/]],
    ['a range from 0', good.replace('1-100', '0-99'), ['fail', /cfg:9$/, /begin with 0/]],
    [
      'fewer slots than NODE_COUNT',
      good.replace('1-100', '1-50'),
      ['fail', /cfg:9$/, /50 slots, NODE_COUNT is 100/],
    ],
    ['an IP address', good.replace('localhost', '127.0.0.1'), ['warn', /cfg:9$/, /IP address/]],
    ['an IPv6 address', good.replace('localhost', '[::1]'), ['warn', /cfg:9$/, /IP address/]],
    ['init-addr none', good.replace('last,libc,none', 'none'), ['fail', /cfg:9$/, /refuses every address/]],
    ['not disabled', good.replace(' disabled', ''), ['fail', /cfg:9$/, /not `disabled`/]],
    ['no check', good.replace('check ', ''), ['warn', /cfg:9$/, /not checked/]],
    [
      'a hash without a place for locks',
      good.replace('leastconn', 'hdr(host)'),
      ['fail', /cfg:8$/, /balanced by hdr/],
    ],
    [
      'no template',
      good.replace('server-template', '#server-template'),
      ['fail', /cfg$/, /no server-template/],
    ],
    ['no stats socket', good.replace('stats socket', '#'), ['fail', /cfg$/, /no stats socket/]],
    ['level operator', good.replace('level admin', 'level operator'), ['warn', /cfg:2$/, /level operator/]],
    ['no level', good.replace(' level admin', ''), ['warn', /cfg:2$/, /level operator/]],
    [
      'TLS on the stats socket',
      good.replace('level admin', 'level admin ssl crt x.pem'),
      ['fail', /cfg:2$/, /plain text/],
    ],
    [
      'an open port',
      good.replace('/run/haproxy/admin.sock', 'ipv4@*:9999'),
      ['warn', /cfg:2$/, /rules HAProxy/],
    ],
    ['no stats maxconn', good.replace('  stats maxconn 1000\n', ''), ['warn', /cfg$/, /stats maxconn is 10/]],
    [
      'a small stats maxconn',
      good.replace('maxconn 1000', 'maxconn 20'),
      ['warn', /cfg:3$/, /stats maxconn is 20/],
    ],
  ];
  it('finds nothing in one that is right', () => {
    assert.deepEqual(lint(good, 100), [
      { check: 'haproxy.cfg', status: 'ok', seen: 'none of the known traps', mend: undefined },
    ]);
    assert.deepEqual(
      lint(good.replace('leastconn', 'source').concat('\nbackend berth-locks\n'), 100).length,
      1,
    );
  });
  for (const [what, text, expected] of cases) {
    it(`names ${what}, with its line`, () => {
      found(lint(text, 100), expected);
    });
  }

  it('knows what dynamic mode needs', () => {
    const dynamic = (text: string) => lintHaproxyConfig('haproxy.cfg', text, undefined, 'dynamic');
    const empty = good.replace(/^ *server-template.*$/m, '');
    found(dynamic(good), ['fail', /^haproxy\.cfg$/, /no backend without servers/, /balance roundrobin/]);
    found(dynamic(empty), ['warn', /^haproxy\.cfg:7$/, /default-server/, /HAPROXY_SERVER_PARAMETERS/]);
    found(dynamic(empty.replace('leastconn', 'hdr(host)')), [
      'fail',
      /^haproxy\.cfg:8$/,
      /balanced by hdr/,
      /balance roundrobin/,
    ]);
    assert.deepEqual(
      dynamic(empty.replace(/^ *default-server.*$/m, '')).map(({ status }) => status),
      ['ok'],
    );
  });

  it('finds nothing that fails in the configurations of the examples', () => {
    const folder = join(import.meta.dirname, '../../examples/haproxy');
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.cfg'))) {
      const findings = lintHaproxyConfig(file, readFileSync(join(folder, file), 'utf8'), undefined);
      assert.deepEqual(
        findings.filter(({ status }) => status === 'fail'),
        [],
        file,
      );
    }
  });

  it('is part of the doctor', async (t) => {
    const folder = temporaryFolder(t, 'berth-doctor-');
    const path = join(folder, 'haproxy.cfg');
    writeFileSync(path, good.replace('1-100', '1–100'));
    const env = { HAPROXY_SERVER: '127.0.0.1:1' };
    found((await examine(env, ['--haproxy-config', path])).items, ['fail', /haproxy\.cfg:9$/, /range/]);
    found((await examine(env, ['--haproxy-config', '/none.cfg'])).items, [
      'fail',
      /none\.cfg$/,
      /cannot be read/,
    ]);
  });
});

async function startHttp(t: TestContext, status: number, body: string): Promise<number> {
  const server = createServer((_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(body),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

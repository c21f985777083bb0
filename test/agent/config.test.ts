import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { appEnvironment, type Config, type Environment, readConfig } from '../../agent/config.ts';
import { type Variable, variables } from '../../agent/variables.ts';
import { isSafeName } from '../../shared/haproxy/commands.ts';

const least = { HAPROXY_SERVER: 'lb', NODE_COUNT: '10', BERTH_APP_PORT: '8080' };
const noFile = (path: string): string => {
  throw new Error(`ENOENT: ${path}`);
};

function read(env: Environment, readFile = noFile) {
  return readConfig({ ...least, ...env }, readFile);
}

function good(env: Environment, readFile = noFile): Config {
  const { config, problems } = read(env, readFile);
  assert.deepEqual(problems, []);
  assert.ok(config);
  return config;
}

function problemsOf(env: Environment, readFile = noFile): string[] {
  const { config, problems } = read(env, readFile);
  assert.equal(config, undefined);
  return problems;
}

test('three variables are enough, and the rest has its documented default', () => {
  const config = good({});
  assert.equal(config.endpoints[0]?.name, 'lb:9999');
  assert.equal(config.haproxy.slotPrefix, 'node');
  assert.equal(config.haproxy.gate, 'app');
  assert.deepEqual(config.ready.kind, { kind: 'tcp' });
  assert.deepEqual([config.ready.interval, config.ready.failures, config.ready.successes], [5000, 3, 2]);
  assert.deepEqual(config.startup.kind, { kind: 'off' });
  assert.deepEqual([config.startup.interval, config.startup.failures], [10_000, 30]);
  assert.deepEqual(config.live.kind, { kind: 'off' });
  assert.deepEqual([config.live.interval, config.live.failures], [10_000, 3]);
  assert.deepEqual([config.stop.drainTimeout, config.stop.stopTimeout], [5000, 4000]);
  assert.equal(config.app.onAgentExit, 'stop');
  assert.equal(config.coordinator.urls, undefined);
});

test('PORT is read when BERTH_APP_PORT is not set', () => {
  assert.equal(good({ BERTH_APP_PORT: undefined, PORT: '81' }).app.port, 81);
  assert.equal(good({ PORT: '81' }).app.port, 8080);
});

for (const variable of variables) {
  test(`${variable.name}: missing, empty, absurd and hostile values`, () => {
    for (const nothing of [undefined, '']) {
      const { problems } = read({ [variable.name]: nothing });
      const isNeeded = variable.required || variable.name === 'NODE_COUNT';
      if (isNeeded) assert.match(problems[0] ?? '', new RegExp(`^${variable.name}.* is not set`));
      else assert.deepEqual(problems, []);
    }
    if (variable.default !== undefined) good({ [variable.name]: variable.default });
    // Accepted or refused, it never gets further than its type allows, and a refusal is one line that names it.
    const hostile = [
      'a;b',
      'x\nset server a/b state maint',
      'a b',
      '\0',
      '-1',
      '1e9',
      '99999999999',
      'ü',
      '\'"`$(id)',
    ];
    for (const value of hostile) {
      const { config, problems } = read({ [variable.name]: value });
      if (config !== undefined) continue;
      for (const problem of problems) {
        assert.match(problem, new RegExp(`^(?:${variable.name}|HAPROXY_)`));
        assert.doesNotMatch(problem, /\n|\0/);
      }
    }
  });
}

test('each problem is one line with the variable, its value and the mend, and all are reported', () => {
  const problems = problemsOf({
    HAPROXY_PORT: '99999',
    NODE_COUNT: '0',
    HAPROXY_BACKEND: 'app; disable frontend x',
    BERTH_READY: 'http',
    BERTH_DRAIN_TIMEOUT: 'soon',
  });
  assert.deepEqual(problems, [
    'HAPROXY_PORT is "99999", which cannot be used: give a port, a whole number from 1 to 65535',
    'NODE_COUNT is "0", which cannot be used: give a whole number from 1 to 100000',
    'HAPROXY_BACKEND is "app; disable frontend x", which cannot be used: give a name of letters, digits and _ . : -, at most 128',
    'BERTH_READY is "http", which cannot be used: give tcp or an HTTP path such as /healthz',
    'BERTH_DRAIN_TIMEOUT is "soon", which cannot be used: give a duration of at most 1h, such as 500ms, 5s or 0s',
  ]);
});

test('nothing that is not a plain name or a number in range reaches the slots', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (backend, prefix, count, port) => {
      const { config } = read({
        HAPROXY_BACKEND: backend,
        HAPROXY_SLOT_PREFIX: prefix,
        NODE_COUNT: count,
        BERTH_APP_PORT: port,
      });
      if (config === undefined) return;
      if (config.haproxy.backend !== undefined) assert.ok(isSafeName(config.haproxy.backend));
      assert.ok(isSafeName(config.haproxy.slotPrefix));
      const { nodeCount = 0 } = config.haproxy;
      assert.ok(nodeCount >= 1 && nodeCount <= 100_000);
      assert.ok(config.app.port >= 1 && config.app.port <= 65_535);
    }),
    { numRuns: 2000 },
  );
});

test('a misspelt variable is named with what was meant', () => {
  assert.deepEqual(read({ BERTH_REDAY: '/healthz', BERTH_NONSENSE: '1', BERTH_LISTEN: ':7070' }).warnings, [
    'BERTH_REDAY is not a variable of the agent and does nothing: did you mean BERTH_READY?',
    'BERTH_NONSENSE is not a variable of the agent and does nothing',
  ]);
  assert.deepEqual(problemsOf({ HAPROXY_SERVER: undefined, HAPROXY_SEVER: 'lb' }), [
    'HAPROXY_SERVER is not set (HAPROXY_SEVER is set: is it a misspelling?): give a host or several, such as lb1,lb2:9998',
  ]);
});

test('a secret comes from its variable or from the file that …_FILE names, and is never shown', () => {
  const file = (path: string) => (path === '/run/secrets/token' ? 'from-file\n' : noFile(path));
  assert.equal(good({ BERTH_TOKEN: 'plain' }).coordinator.token, 'plain');
  assert.equal(good({ BERTH_TOKEN_FILE: '/run/secrets/token' }, file).coordinator.token, 'from-file');
  assert.deepEqual(problemsOf({ BERTH_TOKEN: 'a', BERTH_TOKEN_FILE: '/run/secrets/token' }, file), [
    'BERTH_TOKEN and BERTH_TOKEN_FILE are both set: keep one of them',
  ]);
  assert.match(
    problemsOf({ BERTH_TOKEN_FILE: '/nowhere' }, file)[0] ?? '',
    /^BERTH_TOKEN_FILE is "\/nowhere", which cannot be read/,
  );
  for (const env of [{ BERTH_TOKEN: 'hush hush' }, { BERTH_COORDINATOR: 'http://me:hush@lb' }])
    assert.doesNotMatch(problemsOf(env).join(), /hush/);
});

test('TLS files are read, or given as text; a certificate needs its key', () => {
  const file = (path: string) => `-----BEGIN ${path}`;
  const config = good(
    { HAPROXY_TLS_CA: '/ca.pem', HAPROXY_TLS_CERT: '/c.pem', HAPROXY_TLS_KEY: '-----BEGIN key' },
    file,
  );
  assert.deepEqual(config.endpoints[0]?.tls, {
    ca: '-----BEGIN /ca.pem',
    cert: '-----BEGIN /c.pem',
    key: '-----BEGIN key',
  });
  assert.deepEqual(problemsOf({ HAPROXY_TLS_CERT: '/c.pem' }, file), [
    'HAPROXY_TLS_CERT is set without HAPROXY_TLS_KEY: give both, or neither',
  ]);
});

/** What people make of a key: in quotes, with its line breaks written out, without its first line, in the wrong variable. */
const misplacedKeys = [
  '"-----BEGIN PRIVATE KEY-----\\nMIIEvQhush\\n-----END PRIVATE KEY-----"',
  '"-----BEGIN PRIVATE KEY-----\nMIIEvQhush\n-----END PRIVATE KEY-----"',
  ' -----BEGIN PRIVATE KEY-----\nMIIEvQhush',
  './-----BEGIN PRIVATE KEY-----MIIEvQhush',
  'MIIEvQhush/ab+cd==',
  'eyJhush.abc.def',
  `/${'hush'.repeat(300)}`,
];
for (const name of ['HAPROXY_TLS_CA', 'HAPROXY_TLS_CERT', 'HAPROXY_TLS_KEY'])
  test(`a key in ${name} that is not plain PEM text is never shown`, () => {
    const openFile = (path: string) => readFileSync(path, 'utf8');
    for (const key of misplacedKeys)
      for (const variable of [name, `${name}_FILE`]) {
        const problems = problemsOf({ [variable]: key }, openFile).join('\n');
        assert.match(problems, new RegExp(`^${variable} .*(?:PEM|path)`));
        assert.doesNotMatch(problems, /hush/);
      }
    assert.match(
      problemsOf({ HAPROXY_TLS_KEY: misplacedKeys[0], HAPROXY_TLS_CERT: '-----BEGIN c' }, openFile)[0] ?? '',
      /begins with -----BEGIN, without quotes and with real line breaks/,
    );
  });

test('several HAProxys', () => {
  const { endpoints } = good({ HAPROXY_SERVER: 'lb1, lb2:9998', HAPROXY_PORT: '7000' });
  assert.deepEqual(
    endpoints.map(({ name }) => name),
    ['lb1:7000', 'lb2:9998'],
  );
});

test('a unix socket tells no address, so one must be given', () => {
  assert.match(problemsOf({ HAPROXY_SERVER: '/run/haproxy.sock' })[0] ?? '', /give BERTH_APP_HOST$/);
  good({ HAPROXY_SERVER: '/run/haproxy.sock', BERTH_APP_HOST: '10.0.0.7' });
});

test('the app gets the environment without the secrets', () => {
  const secrets: Environment = Object.fromEntries(
    variables
      .filter((variable: Variable) => variable.secret === true)
      .flatMap(({ name }) => [
        [name, 'x'],
        [`${name}_FILE`, '/x'],
      ]),
  );
  assert.deepEqual(Object.keys(secrets).toSorted(), [
    'BERTH_APP_ENVIRON',
    'BERTH_APP_ENVIRON_FILE',
    'BERTH_COORDINATOR',
    'BERTH_COORDINATOR_FILE',
    'BERTH_TOKEN',
    'BERTH_TOKEN_FILE',
    'HAPROXY_TLS_KEY',
    'HAPROXY_TLS_KEY_FILE',
  ]);
  assert.deepEqual(appEnvironment({ ...secrets, ...least, OTHER: 'kept', EMPTY: '' }), {
    ...least,
    OTHER: 'kept',
    EMPTY: '',
  });
});

test('metric sources', () => {
  const sources = (text: string) => read({ BERTH_APP_METRICS: text }).config?.metrics.sources;
  assert.deepEqual(
    sources('queue=/metrics#jobs{a="x,y",b="z"}, load=http://127.0.0.1:9000/l, jobs=file:/tmp/jobs'),
    [
      { name: 'queue', place: { kind: 'path', path: '/metrics' }, selector: 'jobs{a="x,y",b="z"}' },
      { name: 'load', place: { kind: 'url', url: 'http://127.0.0.1:9000/l' }, selector: undefined },
      { name: 'jobs', place: { kind: 'file', path: '/tmp/jobs' }, selector: undefined },
    ],
  );
  for (const wrong of ['queue', 'a=b', 'a=/x,a=/y', 'container.cpu=/x', '=/x', 'a=/x,']) {
    assert.equal(sources(wrong), undefined, wrong);
  }
});

test('the app gets its own LD_PRELOAD when the agent runs without it', () => {
  assert.deepEqual(appEnvironment({ BERTH_APP_LD_PRELOAD: '/lib/a.so', A: '1' }), {
    LD_PRELOAD: '/lib/a.so',
    A: '1',
  });
  assert.deepEqual(appEnvironment({ LD_PRELOAD: '/lib/a.so' }), { LD_PRELOAD: '/lib/a.so' });
});

test('the app gets the variables that the shell of the entrypoint dropped, and nothing else from there', () => {
  const handedOn = Buffer.from('a.b=1\0A=old\0BERTH_TOKEN=hush\0').toString('hex');
  assert.deepEqual(appEnvironment({ BERTH_APP_ENVIRON: handedOn, A: '1' }), { 'a.b': '1', A: '1' });
  assert.deepEqual(appEnvironment({ BERTH_APP_ENVIRON: 'nonsense', A: '1' }), { A: '1' });
});

test('the app gets its own NODE_OPTIONS when the agent runs without them', () => {
  assert.deepEqual(appEnvironment({ BERTH_APP_NODE_OPTIONS: '--inspect', A: '1' }), {
    NODE_OPTIONS: '--inspect',
    A: '1',
  });
  assert.deepEqual(appEnvironment({ NODE_OPTIONS: '--enable-source-maps' }), {
    NODE_OPTIONS: '--enable-source-maps',
  });
});

// The agent in other people's images: glibc, musl, neither; with Node and without; each form of an entrypoint.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { baseImage } from '../bench/images.ts';
import { until } from '../bench/wait.ts';
import { agentImage, benchImage, exampleImage, imageOf } from './app-images.ts';
import { events, startContainers } from './containers.ts';
import { ensureStandIn } from './stand-ins.ts';

const containers = await startContainers('images');
const { engine, haproxy, untilSlotOf, untilAddress, discard, start } = containers;
after(() => containers[Symbol.asyncDispose]());

/** HAProxy's Runtime API under a name that only Docker's own name server knows. */
const name = `lb-${containers.suffix}`;
const forward = `require('net').createServer((from) => {
  const to = require('net').connect(${haproxy.cliPort}, '${haproxy.address}');
  for (const [one, other] of [[from, to], [to, from]]) one.on('error', () => other.destroy()).pipe(other);
}).listen(9999)`;
await agentImage(engine, 'runtime');
await engine.start({
  image: baseImage,
  network: containers.network,
  name,
  command: ['node', '-e', forward],
});
const byName = { HAPROXY_SERVER: name, HAPROXY_PORT: '9999' };

const cases = [
  { example: 'node', port: '8080', options: ['--init'] },
  { example: 'node', from: 'node:24-alpine', port: '8080', options: ['--init'] },
  { example: 'python', port: '8080', options: [] },
  { example: 'nginx', port: '80', options: [] },
  { example: 'alpine', port: '80', options: [] },
  { example: 'no-shell', port: '8080', options: [] },
] as const;
for (const { example, port, options, ...on } of cases) {
  const from = 'from' in on ? on.from : undefined;
  const title = `examples/apps/${example}${from === undefined ? '' : ` on ${from}`}`;
  test(`${title}: it finds HAProxy by its name, serves, is healthy, and stops in order`, async () => {
    const image = await exampleImage(engine, example, from);
    const container = await start({
      image,
      env: { ...byName, BERTH_APP_PORT: port },
      options: [...options, '--health-interval', '1s'], // the command is the example's
    });
    await untilSlotOf(container, 'ready');
    assert.equal((await fetch(haproxy.url())).status, 200);
    const health = () => engine.run(['inspect', '-f', '{{.State.Health.Status}}', container.name]);
    await until(async () => (await health()).trim() === 'healthy', {
      what: 'Docker finds it healthy',
      deadlineMs: 20_000,
    });
    const address = await container.address();
    await engine.run(['stop', container.name]);
    assert.notEqual(await container.ended(), 137);
    await untilAddress(address, 'none', () => container.logs());
    const log = await events(container);
    assert.ok(log.indexOf('slot.drained') < log.indexOf('app.stopping'), log.join());
    assert.ok(log.includes('slot.released'));
    const amiss = ['app.killed', 'surroundings.doubted', 'lookup.failed'];
    assert.deepEqual(
      log.filter((event) => amiss.includes(event)),
      [],
    );
    await discard(container);
  });
}

test('a name in /etc/hosts is found too, with musl as the only libc and with none at all', async () => {
  for (const example of ['alpine', 'no-shell'] as const) {
    const container = await start({
      image: await exampleImage(engine, example),
      env: { HAPROXY_SERVER: 'balancer', BERTH_APP_PORT: example === 'alpine' ? '80' : '8080' },
      options: ['--add-host', `balancer:${haproxy.address}`],
    });
    await untilSlotOf(container, 'ready');
    await discard(container);
  }
});

test('with musl: it is musl, the agent runs on libraries of its own, and 100 orphans leave no zombie', async () => {
  await exampleImage(engine, 'alpine');
  const image = await imageOf(
    engine,
    'FROM nginx:1.29-alpine\nCOPY --from=berth/runtime /berth /berth\nENTRYPOINT ["/berth/entrypoint"]',
  );
  const maker =
    'for i in $(seq 100); do (sleep 0.2 & exec true) & done; wait; sleep 1; echo made; exec nginx -g "daemon off;"';
  const container = await start({
    image,
    env: { BERTH_APP_PORT: '80' },
    command: ['sh', '-c', maker],
  });
  await until(async () => (await container.logs()).includes('made'), { what: 'the orphans are made' });
  await untilSlotOf(container, 'ready');
  const count = `for f in /proc/[0-9]*/stat; do cat $f; done 2>/dev/null | sed 's/.*) //' | grep -c ^Z || true`;
  await until(async () => (await container.exec('sh', '-c', count)) === '0', { what: 'no zombie is left' });
  const mapped = await container.exec(
    'sh',
    '-c',
    'for p in /proc/[0-9]*; do grep -q /berth/node $p/maps 2>/dev/null && cat $p/maps; done; true',
  );
  assert.match(mapped, /\/berth\/lib\/libc\.so\.6/);
  assert.doesNotMatch(mapped, / \/(?:usr\/)?lib/);
  assert.match(await container.exec('sh', '-c', 'ls /lib'), /ld-musl/);
  await discard(container);
});

test('what the image sets for the loader reaches the app and not the agent', async () => {
  // Both would end a Node that has another libc than the one they are for.
  const set = { LD_LIBRARY_PATH: '/usr/lib:/lib', LD_PRELOAD: '/lib/libc.musl-x86_64.so.1' };
  await ensureStandIn(engine, 'node:24-alpine');
  const image = await imageOf(
    engine,
    [
      'FROM node:24-alpine',
      'COPY --from=berth/runtime /berth /berth',
      'ENTRYPOINT ["/berth/entrypoint"]',
      ...Object.entries({ ...set, NODE_OPTIONS: '--title=app' }).map(([key, value]) => `ENV ${key}=${value}`),
      'COPY app.mjs /app.mjs',
      'CMD ["node", "/app.mjs"]',
      'HEALTHCHECK --interval=1s CMD LD_PRELOAD= /berth/node /berth/agent.cjs health',
    ].join('\n'),
    new URL('../bench/app.mjs', import.meta.url).pathname,
    'app.mjs',
  );
  const container = await start({ image });
  await untilSlotOf(container, 'ready');
  const env = await (await fetch(`${haproxy.url()}/env`)).json();
  assert.deepEqual(Object.fromEntries(Object.entries(env).filter(([key]) => /LD_|NODE_OPTIONS/.test(key))), {
    ...set,
    NODE_OPTIONS: '--title=app',
  });
  const health = () => engine.run(['inspect', '-f', '{{.State.Health.Status}}', container.name]);
  await until(async () => (await health()).trim() === 'healthy', { what: 'Docker finds it healthy' });
  await discard(container);
});

const forms = [
  { title: 'a JSON list', lines: ['ENTRYPOINT ["/berth/entrypoint"]', 'CMD ["node", "/app.mjs"]'] },
  { title: 'a line with exec', lines: ['ENTRYPOINT exec /berth/entrypoint node /app.mjs'] },
  {
    title: 'a script that execs it',
    lines: [
      `RUN printf '#!/bin/sh\\nset -e\\nexport BEFORE=1\\nexec /berth/entrypoint "$@"\\n' > /own && chmod 755 /own`,
      'ENTRYPOINT ["/own"]',
      'CMD ["node", "/app.mjs"]',
    ],
  },
  {
    title: 'before a script that was the entrypoint',
    lines: [
      `RUN printf '#!/bin/sh\\nset -e\\nexport BEFORE=1\\nexec "$@"\\n' > /own && chmod 755 /own`,
      'ENTRYPOINT ["/berth/entrypoint", "/own"]',
      'CMD ["node", "/app.mjs"]',
    ],
  },
];
for (const { title, lines } of forms) {
  test(`the entrypoint as ${title}: tini is process 1, \`docker stop\` drains, the exit code is the app's`, async () => {
    const env = { EXIT_CODE: '3', 'discovery.type': 'a single node' };
    const container = await start({ image: await benchImage(engine, lines), env });
    await untilSlotOf(container, 'ready');
    assert.equal(await container.exec('cat', '/proc/1/comm'), 'tini');
    const given: typeof env = await (await fetch(`${haproxy.url()}/env`)).json();
    // A shell before the entrypoint's own, or behind it, drops such a name as it would without the agent.
    const expected = title === 'a JSON list' ? env['discovery.type'] : undefined;
    assert.equal(given['discovery.type'], expected);
    await engine.run(['stop', container.name]);
    assert.equal(await container.ended(), 3);
    const log = await events(container);
    assert.ok(log.indexOf('slot.drained') < log.indexOf('app.stopping'), log.join());
    assert.ok(!log.includes('surroundings.doubted'), await container.logs());
    await discard(container);
  });
}

test('the entrypoint as a line whose shell stays: the agent says what is wrong, with the mend', async () => {
  const line = 'ENTRYPOINT /berth/entrypoint nginx -g "daemon off;"; echo ended';
  await exampleImage(engine, 'alpine');
  const musl = `FROM nginx:1.29-alpine\nCOPY --from=berth/runtime /berth /berth\n${line}`;
  for (const { image, port } of [
    { image: await imageOf(engine, musl), port: '80' },
    {
      image: await benchImage(engine, ['ENTRYPOINT /berth/entrypoint node /app.mjs; echo ended']),
      port: '8080',
    },
  ]) {
    const container = await start({ image, env: { BERTH_APP_PORT: port } });
    await untilSlotOf(container, 'ready');
    assert.match(await container.logs(), /process 1 is sh, which passes no signals on.*as a JSON list/);
    await engine.run(['kill', container.name]);
    await discard(container);
  }
});

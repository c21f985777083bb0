// The agent in real containers: as a parent, and under load.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import type { Container } from '../bench/docker.ts';
import { startLoad } from '../bench/load.ts';
import { until } from '../bench/wait.ts';
import { benchImage } from './app-images.ts';
import { events, startContainers } from './containers.ts';

const containers = await startContainers('agent');
const { engine, haproxy, untilSlotOf, untilAddress, discard } = containers;
const image = await benchImage(engine);
after(() => containers[Symbol.asyncDispose]());

const agent = ['/berth/tini', '--', '/berth/node', '/berth/agent.cjs', '--'];
const app = ['node', '/app.mjs'];

/** A container of the bench image; the command is what the image starts. */
function start(
  command: readonly string[],
  options: { env?: Record<string, string>; options?: readonly string[] } = {},
): Promise<Container> {
  return containers.start({ image, command, ...options });
}

test('a zombie maker with 100 orphans leaves none under the init of the image', async () => {
  const maker =
    'for i in $(seq 100); do (sleep 0.2 & exec true) & done; wait; sleep 1; echo made; exec sleep 60';
  const container = await start([...agent, 'sh', '-c', maker]);
  await until(async () => (await container.logs()).includes('made'), { what: 'the orphans are made' });
  const count = `for f in /proc/[0-9]*/stat; do cat $f; done 2>/dev/null | sed 's/.*) //' | grep -c ^Z || true`;
  await until(async () => (await container.exec('sh', '-c', count)) === '0', { what: 'no zombie is left' });
  assert.ok(!(await events(container)).includes('surroundings.doubted'));
  await discard(container);
});

test('without an init the agent says what is wrong, with the mend; with `--init` it does not', async () => {
  const bare = await start(['/berth/node', '/berth/agent.cjs', '--', ...app]);
  await untilSlotOf(bare, 'ready');
  assert.match(await bare.logs(), /process 1 without an init.*docker run --init/);
  const init = await start(['/berth/node', '/berth/agent.cjs', '--', ...app], { options: ['--init'] });
  await untilSlotOf(init, 'ready');
  assert.ok(!(await events(init)).includes('surroundings.doubted'));
  const shell = await start(['sh', '-c', `/berth/node /berth/agent.cjs -- ${app.join(' ')}; true`]);
  await untilSlotOf(shell, 'ready');
  assert.match(await shell.logs(), /process 1 is sh, which passes no signals on/);
  await discard(bare, init, shell);
});

test('an interactive session: a terminal, its size, what is typed, and the exit code', async () => {
  const inside = `tty; stty size; read line; echo "typed: $line"; exit 7`;
  const words = ['docker', '-H', engine.host, 'run', '--rm', '-it', ...engine.label];
  const env = Object.entries(containers.variables).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  const quoted = [...words, ...env, '-e', 'BERTH_LOG_LEVEL=silent', image, ...agent, 'bash', '-c', inside]
    .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
    .join(' ');
  const terminal = spawn('script', ['-qec', `stty cols 99 rows 33; ${quoted}`, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  let typed = false;
  terminal.stdout.on('data', (chunk: Buffer) => {
    output += String(chunk);
    if (!typed && output.includes('33 99')) {
      typed = true;
      terminal.stdin.write('hello\r');
    }
  });
  const [code] = await once(terminal, 'exit');
  assert.match(output, /\/dev\/pts\/0/);
  assert.match(output, /typed: hello/);
  assert.equal(code, 7, output);
});

test('docker stop drains and keeps within its time; the exit code and the slot are as they should be', async () => {
  const container = await start([...agent, ...app], { env: { EXIT_CODE: '3' } });
  await untilSlotOf(container, 'ready');
  const address = await container.address();
  await engine.run(['stop', container.name]);
  assert.equal(await container.ended(), 3);
  await untilAddress(address, 'none', () => container.logs());
  const log = await events(container);
  assert.ok(log.indexOf('slot.drained') < log.indexOf('app.stopping'));
  await discard(container);
});

test('an app that ignores SIGTERM is killed by its agent before Docker would kill both', async () => {
  const deaf = `process.on('SIGTERM', () => undefined); require('node:http').createServer((_, r) => r.end()).listen(8080)`;
  const container = await start([...agent, 'node', '-e', deaf]);
  await untilSlotOf(container, 'ready');
  const address = await container.address();
  await engine.run(['stop', container.name]);
  assert.equal(await container.ended(), 137);
  assert.ok(
    (await events(container)).includes('slot.released'),
    'the agent lived long enough to give its slot back',
  );
  await untilAddress(address, 'none', () => container.logs());
  await discard(container);
});

test('docker restart and docker kill: the slot comes back, and none is left over', async () => {
  const container = await start([...agent, ...app]);
  await untilSlotOf(container, 'ready');
  await engine.run(['restart', container.name]);
  await untilSlotOf(container, 'ready');
  await engine.run(['kill', container.name]);
  await engine.run(['start', container.name]);
  await untilSlotOf(container, 'ready');
  await until(async () => (await containers.held()).size === 1, { what: 'one slot is held' });
  await discard(container);
});

test('as an ordinary user, with a read-only root and no capability, health and all', async () => {
  const options = [
    '--read-only',
    '--cap-drop',
    'ALL',
    '--user',
    '1000:1000',
    '--security-opt',
    'no-new-privileges',
  ];
  const container = await start([...agent, ...app], { options });
  await untilSlotOf(container, 'ready');
  assert.match(
    await container.exec('/berth/node', '/berth/agent.cjs', 'health'),
    /^ready; .*: app\/node\d ready$/,
  );
  await engine.run(['stop', container.name]);
  assert.equal(await container.ended(), 0);
  await discard(container);
});

test('if the agent dies, `stop` ends the container and `keep` keeps the app in traffic', async () => {
  const kill = (words: string) =>
    `for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -q '^/berth/node .*${words}' && kill -9 \${p#/proc/} && break; done; true`;
  const stop = await start([...agent, ...app]);
  await untilSlotOf(stop, 'ready');
  await stop.exec('sh', '-c', kill('agent.cjs --'));
  assert.equal(await stop.ended(), 137);
  await discard(stop);

  const keep = await start([...agent, ...app], { env: { BERTH_ON_AGENT_EXIT: 'keep' } });
  await untilSlotOf(keep, 'ready');
  await keep.exec('sh', '-c', kill('guarded'));
  await until(async () => (await events(keep)).includes('slot.adopted'), { what: 'the slot is found again' });
  assert.equal((await fetch(haproxy.url())).status, 200);
  assert.equal(await keep.status(), 'running');
  await engine.run(['stop', keep.name]);
  assert.equal(await keep.ended(), 0);
  await discard(keep);
});

test('a sidecar in the network of its app', async () => {
  const container = await start(app);
  const sidecar = await engine.start({
    image,
    name: `sidecar-${containers.suffix}`,
    env: containers.variables,
    options: ['--network', `container:${container.name}`],
    command: ['/berth/tini', '--', '/berth/node', '/berth/agent.cjs'],
  });
  await untilSlotOf(container, 'ready');
  await engine.run(['stop', sidecar.name]);
  assert.equal(await sidecar.ended(), 0);
  await untilSlotOf(container, 'none');
  await discard(sidecar, container);
});

test('under load no request fails: a slow boot, a stop, readiness lost and back, all three replaced', async () => {
  const first: Container[] = [];
  for (let count = 0; count < 3; count += 1) first.push(await start([...agent, ...app]));
  for (const container of first) await untilSlotOf(container, 'ready');
  const load = startLoad({
    url: haproxy.url(),
    ratePerSecond: 50,
    maxSeconds: 120,
    longShare: 0.05,
    longPath: '/slow?ms=2000',
  });
  const served = async (label: string) => {
    const counts = load.mark(label);
    await until(() => counts.ok >= 25, { what: `requests after ${label}` });
  };
  await served('start');

  const slow = await start([...agent, ...app], { env: { BOOT_MS: '10000' } });
  await untilSlotOf(slow, 'ready');
  await served('a boot of 10 s');

  const unready = await start([...agent, ...app], {
    env: { BERTH_READY: '/healthz', BERTH_READY_INTERVAL: '200ms' },
  });
  await untilSlotOf(unready, 'ready');
  const url = `http://${await unready.address()}:8080/health`;
  await fetch(`${url}/503`, { method: 'POST' });
  await untilSlotOf(unready, 'drain');
  await served('readiness lost');
  await fetch(`${url}/200`, { method: 'POST' });
  await untilSlotOf(unready, 'ready');
  await served('readiness back');

  await engine.run(['stop', slow.name, unready.name]);
  await served('a stop of two');

  for (const old of first) {
    const next = await start([...agent, ...app]);
    await untilSlotOf(next, 'ready');
    await engine.run(['stop', old.name]);
    await served(`one of three replaced`);
  }
  const total = await load.stop();
  assert.deepEqual(
    { failed: total.failed, errors: total.errors, held: total.held },
    { failed: 0, errors: {}, held: 0 },
  );
  assert.ok(total.sent > 500, `${total.sent} requests`);
});

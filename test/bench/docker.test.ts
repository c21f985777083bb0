import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { appFile } from './app.ts';
import { dockerEngine } from './docker.ts';
import { startHaproxy } from './haproxy.ts';
import { baseImage, ensureBaseImage, haproxyImage } from './images.ts';
import { runProcess } from './processes.ts';
import { until } from './wait.ts';

const engine = await dockerEngine();
after(() => engine.stop());
const suffix = `bench-${process.pid}`;

test('a container on a network of the test is reached from here, and reaches what listens on the gateway', async () => {
  await ensureBaseImage(engine);
  const network = await engine.network(`net-${suffix}`);
  await using haproxy = await startHaproxy({ address: network.gateway, config: { slots: 1 } });
  const app = await engine.start({
    image: baseImage,
    network: network.name,
    name: `app-${suffix}`,
    env: { PORT: '8080' },
    options: ['--volume', `${appFile}:/app.mjs:ro`],
    command: ['node', '/app.mjs'],
  });
  const address = await app.address();
  const answer = await until(() => fetch(`http://${address}:8080/`), { what: 'the app answers' });
  assert.match(await answer.text(), new RegExp(`^${app.id.slice(0, 12)} `));
  const script = `fetch('${haproxy.url()}').then((answer) => console.log(answer.status))`;
  assert.equal(await app.exec('node', '-e', script), '503');
  await engine.run(['stop', app.name]);
  assert.equal(await app.ended(), 0);
  assert.match(await app.logs(), /SIGTERM/);
});

test('what a process made is removed when it has ended without doing so', async () => {
  const name = `orphan-${suffix}`;
  const module = JSON.stringify(import.meta.resolve('./docker.ts'));
  const script = `const engine = await (await import(${module})).dockerEngine(); await engine.network('${name}'); process.exit(0)`;
  await runProcess(process.execPath, ['--input-type=module', '-e', script]);
  const networks = async () => (await engine.run(['network', 'ls', '--format', '{{.Name}}'])).split('\n');
  await dockerEngine();
  assert.equal((await networks()).includes(name), false);
});

test('HAProxy runs as a container, as of its official image', async () => {
  const image = await haproxyImage(engine, '3.0');
  const version = await engine.run(['run', '--rm', ...engine.label, image, 'haproxy', '-v']);
  assert.match(version, /HAProxy version 3\.0\./);
});

// The quickstart, as its README says: the agent's image, then Compose with HAProxy, the coordinator and three instances
// of the app. The files are run unchanged; only the images that a registry would give are stand-ins of the same name.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { buildImage } from './bench/app-image.ts';
import { dockerEngine } from './bench/docker.ts';
import { ensureBaseImage, haproxyImage } from './bench/images.ts';
import { startLoad } from './bench/load.ts';
import { ensurePackages } from './bench/packages.ts';
import { runProcess } from './bench/processes.ts';
import { until } from './bench/wait.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'examples', 'quickstart');

test('the quickstart serves, scales by hand and by its policy, and loses no request', async () => {
  await ensurePackages('docker-compose');
  const engine = await dockerEngine();
  await ensureBaseImage(engine);
  await haproxyImage(engine, '3.2', 'haproxy:3.2');
  const agent = await buildImage(engine, {
    context: root,
    dockerfile: join(root, 'Dockerfile.agent'),
    target: 'file',
  });
  await engine.run(['tag', agent, 'berth-agent']);
  const socket = engine.host.replace('unix://', '');
  const project = `quickstart${process.pid}`;
  const env = {
    DOCKER_HOST: engine.host,
    BERTH_TOKEN: 'quickstart-token',
    COMPOSE_PROJECT_NAME: project,
    DOCKER_BUILDKIT: '0',
    DOCKER_SOCKET: socket,
    DOCKER_GID: String(statSync(socket).gid),
  };
  const compose = (...args: string[]) =>
    runProcess('docker-compose', args, {
      cwd: folder,
      env,
      deadlineMs: 300_000,
      name: `docker-compose ${args.join(' ')}`,
    });
  after(async () => {
    await compose('down', '--volumes', '--timeout', '5', '--rmi', 'local');
    await engine.stop();
  });
  await compose('up', '--detach', '--build', '--scale', 'app=3');
  const url = 'http://127.0.0.1:8080/';
  const answering = async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, async () => (await fetch(url)).text()));
    return new Set(answers.filter((text) => text.startsWith('hello from '))).size;
  };
  await until(async () => (await answering()) === 3, {
    what: 'three instances answer',
    deadlineMs: 30_000,
    everyMs: 200,
  });
  const ready = async () => {
    const headers = { authorization: 'Bearer quickstart-token' };
    const response = await fetch('http://127.0.0.1:7070/api/v1/slots?state=ready&service=app', { headers });
    return ((await response.json()) as { items: unknown[] }).items.length;
  };
  await until(async () => (await ready()) === 3, {
    what: 'the coordinator sees them',
    deadlineMs: 20_000,
    everyMs: 200,
  });

  await using load = startLoad({ url, ratePerSecond: 50, maxSeconds: 180 });
  await compose('up', '--detach', '--no-recreate', '--scale', 'app=4');
  await until(async () => (await ready()) === 4, {
    what: 'the fourth serves',
    deadlineMs: 30_000,
    everyMs: 200,
  });
  await compose('up', '--detach', '--no-recreate', '--scale', 'app=1');
  await until(async () => (await ready()) === 1, { what: 'one is left', deadlineMs: 30_000, everyMs: 200 });
  await compose('-f', 'compose.yaml', '-f', 'compose.scaling.yaml', 'up', '--detach', '--build');
  await until(async () => (await ready()) === 2, {
    what: 'the coordinator has added the second',
    deadlineMs: 60_000,
    everyMs: 200,
  });
  const said = await compose('exec', '-T', 'berth', 'berth', 'scale', 'app', '3');
  assert.match(said, /^app: 3 wanted/);
  await until(async () => (await ready()) === 3, {
    what: 'three serve, as was said by hand',
    deadlineMs: 30_000,
    everyMs: 200,
  });
  const { sent, failed, errors } = await load.stop();
  assert.equal(failed, 0, `${failed} of ${sent} requests failed: ${JSON.stringify(errors)}`);
});

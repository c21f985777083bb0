// The configurations of examples/haproxy, unchanged, in the HAProxy of each version and driven as an agent would.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chown, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { appFile } from './bench/app.ts';
import { type Container, dockerEngine, type Network } from './bench/docker.ts';
import { haproxyVersions } from './bench/haproxy.ts';
import { baseImage, ensureBaseImage, haproxyImage } from './bench/images.ts';
import { runProcess } from './bench/processes.ts';
import { until } from './bench/wait.ts';

const examples = join(import.meta.dirname, '../examples/haproxy');
const target = '/usr/local/etc/haproxy/haproxy.cfg';
const haproxyUser = 99;
const name = 'haproxy.test';

const engine = await dockerEngine();
const folder = await mkdtemp(join(tmpdir(), 'berth-configs-'));
const certificates = join(folder, 'certs');
let network: Network;
let app: Container;
let appAddress: string;

before(async () => {
  await ensureBaseImage(engine);
  await runProcess(join(examples, 'make-certificates.sh'), [certificates, name]);
  for (const file of await readdir(certificates))
    await chown(join(certificates, file), haproxyUser, haproxyUser);
  await chown(certificates, haproxyUser, haproxyUser);
  network = await engine.network(`configs-${process.pid}`);
  app = await engine.start({
    image: baseImage,
    network: network.name,
    options: ['--volume', `${appFile}:/app.mjs:ro`],
    command: ['node', '/app.mjs'],
  });
  appAddress = await app.address();
});

after(async () => {
  await engine.stop();
  await rm(folder, { recursive: true });
});

for (const version of haproxyVersions) {
  const start = async (file: string, state = folder, user = 'root') =>
    engine.start({
      image: await haproxyImage(engine, version),
      network: network.name,
      options: ['--user', user, ...mounts(file, state)],
    });

  for (const file of ['simple.cfg', 'production.cfg']) {
    test(`HAProxy ${version} accepts ${file} without a warning`, async () => {
      const image = await haproxyImage(engine, version);
      const check = ['run', '--rm', ...engine.label, ...mounts(file, folder), image];
      const said = await engine.run([...check, 'sh', '-c', `haproxy -c -V -f ${target} 2>&1`]);
      assert.match(said, /Configuration file is valid/);
      // 2.6 warns of the state file that is not there yet; later ones only note it.
      const worries = said.split('\n').filter((line) => /WARNING|ALERT|deprecated/.test(line));
      assert.deepEqual(
        worries.filter((line) => !line.includes("Can't open global server state file")),
        [],
      );
    });
  }

  test(`HAProxy ${version} with simple.cfg: a slot that is claimed over port 9999 takes traffic`, async () => {
    const haproxy = await start('simple.cfg');
    const address = await haproxy.address();
    const cli = (line: string) => ask(connectTcp(9999, address), line);
    await until(() => cli('show info'), { what: 'HAProxy answers' });
    assert.equal((await slots(cli)).length, 100);
    assert.equal((await fetch(`http://${address}/`)).status, 503);
    await claim(cli, 'node7');
    assert.match(await (await fetch(`http://${address}/`)).text(), new RegExp(`^${app.id.slice(0, 12)} `));
    await haproxy.remove();
  });

  // Debian's package starts it as root, the official image as the user haproxy.
  for (const user of ['root', `${haproxyUser}:${haproxyUser}`]) {
    test(`HAProxy ${version} with production.cfg, started as ${user}: TLS, client certificates, slots that survive restart and reload`, async () => {
      const state = await mkdtemp(join(tmpdir(), 'berth-configs-state-'));
      await chown(state, haproxyUser, haproxyUser);
      const haproxy = await start('production.cfg', state, user);
      const address = await haproxy.address();
      const ca = await readFile(join(certificates, 'agents-ca.pem'));
      const identity = {
        cert: await readFile(join(certificates, 'agent.crt')),
        key: await readFile(join(certificates, 'agent.key')),
      };
      const open = (own: Partial<typeof identity>) =>
        connectTls({ host: address, port: 9999, servername: name, ca, ...own });
      const cli = (line: string) => ask(open(identity), line);
      const site = () => httpsStatus(address, ca);
      await until(() => cli('show info'), { what: 'the Runtime API answers over TLS' });

      await assert.rejects(ask(open({}), 'show info'), /certificate required|handshake failure/);
      await assert.rejects(
        ask(connectTcp(9999, address), 'show info'),
        /closed without an answer|ECONNRESET/,
      );

      const redirect = await fetch(`http://${address}/`, { redirect: 'manual' });
      assert.equal(redirect.status, 302);
      assert.equal(await site(), 503);
      await claim(cli, 'node42');
      assert.equal(await site(), 200);

      const saved = await cli('show servers state');
      await writeFile(join(state, 'server-state.new'), `${saved}\n`);
      await rename(join(state, 'server-state.new'), join(state, 'server-state'));
      const restored = async () =>
        (await slots(cli)).find((slot) => slot.name === 'node42' && slot.address === appAddress);
      await engine.run(['restart', haproxy.name]);
      await until(restored, { what: 'the slot is back after the restart' });
      assert.equal(await site(), 200);

      const before = await workerPid(cli);
      // The master starts itself anew once its worker serves, and as process 1 it misses a signal meanwhile.
      let askAt = 0;
      const isReloaded = async () => {
        if (performance.now() >= askAt) {
          await engine.run(['kill', '--signal', 'USR2', haproxy.name]);
          askAt = performance.now() + 2000;
        }
        return (await workerPid(cli)) !== before;
      };
      await until(isReloaded, { what: 'a new worker answers', deadlineMs: 20_000 });
      assert.ok(await restored());
      assert.equal(await site(), 200);

      await rm(join(state, 'server-state'));
      await engine.run(['restart', haproxy.name]);
      await until(() => cli('show info'), { what: 'HAProxy is back without a state file' });
      assert.equal(await restored(), undefined);
      await haproxy.remove();
      await rm(state, { recursive: true });
    });
  }
}

function mounts(file: string, state: string): string[] {
  const volumes = [
    `${join(examples, file)}:${target}:ro`,
    `${certificates}:/etc/haproxy/certs:ro`,
    `${state}:/var/lib/haproxy`,
  ];
  return volumes.flatMap((volume) => ['--volume', volume]);
}

type Cli = (line: string) => Promise<string>;

/** What an agent does, without its care for races: address, read-back, state. */
async function claim(cli: Cli, slot: string): Promise<void> {
  await cli(`set server app/${slot} addr ${appAddress} port 8080`);
  const isShown = async () =>
    (await slots(cli)).some((row) => row.name === slot && row.address === appAddress);
  await until(isShown, { what: `${slot} shows the address` });
  assert.equal(await cli(`set server app/${slot} state ready`), '');
}

async function slots(cli: Cli): Promise<{ name: string | undefined; address: string | undefined }[]> {
  const rows = (await cli('show servers state app')).split('\n').slice(2);
  return rows.map((row) => row.split(' ')).map(([, , , name, address]) => ({ name, address }));
}

async function workerPid(cli: Cli): Promise<string> {
  return /^Pid: \d+$/m.exec(await cli('show info'))?.[0] ?? '';
}

async function ask(socket: Socket, line: string): Promise<string> {
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text;
  });
  socket.setTimeout(5000, () => socket.destroy(new Error(`no answer to: ${line}`)));
  socket.write(`${line}\n`);
  await once(socket, 'close');
  if (answer === '') throw new Error('closed without an answer');
  return answer.trimEnd();
}

function httpsStatus(host: string, ca: Buffer): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, path: '/', servername: name, ca, agent: false }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    outgoing.once('error', reject).end();
  });
}

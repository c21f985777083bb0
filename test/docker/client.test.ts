// The client's promises: each kind of failure has its predicate, each call an end. Failures are provoked for real.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { callWithDeadline } from '../../coordinator/targets/docker/call-deadline.ts';
import { createDockerClient, type DockerClient } from '../../coordinator/targets/docker/client.ts';
import {
  classifyFailure,
  isNameClash,
  isNoImage,
  isNoNetwork,
  isNoSpace,
  isNotFound,
  isNotModified,
  isPortClash,
  isUnavailable,
} from '../../coordinator/targets/docker/docker-error.ts';
import type { DockerAddress } from '../../coordinator/targets/docker/endpoint.ts';
import { isBerthError } from '../../shared/errors.ts';
import { cacheFolder } from '../bench/cache.ts';
import { type DockerEngine, dockerEngine } from '../bench/docker.ts';
import { freePort, until } from '../bench/wait.ts';
import { startDaemon } from './daemon.ts';
import { ensureTinyImage, tinyImage } from './tiny-image.ts';

const execute = promisify(execFile);
const unique = `e${process.pid}`;
let engine: DockerEngine;
let client: DockerClient;

const clientAt = (address: DockerAddress) =>
  createDockerClient({ name: 'bench', address, tls: undefined, from: 'the test' });

/** What a container of this test is made from. */
const body = (hostConfig: object = {}) => ({
  Image: tinyImage,
  Labels: { 'berth.test': String(process.pid) },
  HostConfig: hostConfig,
});

const predicates = {
  isNameClash,
  isNoImage,
  isNoNetwork,
  isNoSpace,
  isNotFound,
  isNotModified,
  isPortClash,
  isUnavailable,
};

/** Fails with an error for which this predicate alone holds. */
async function failsWith(name: keyof typeof predicates, action: Promise<unknown>): Promise<void> {
  await assert.rejects(action, (error) => {
    const held = Object.entries(predicates).filter(([, is]) => is(error));
    assert.deepEqual(
      held.map(([key]) => key),
      [name],
      String(error),
    );
    return true;
  });
}

before(async () => {
  engine = await dockerEngine();
  await ensureTinyImage(engine.run);
  client = clientAt({ socketPath: engine.socketPath });
});
after(async () => {
  client?.close();
  await engine?.stop();
});

describe('the Docker client', () => {
  it('takes a container through its whole life', async () => {
    const id = await client.create(`${unique}-life`, body());
    const stateOf = async () => (await client.inspect(id)).State.Status;
    assert.equal(await stateOf(), 'created');
    await client.start(id);
    const { cpuNs, memoryBytes, memoryLimitBytes } = await client.stats(id);
    assert.ok(cpuNs > 0 && (memoryBytes ?? 0) > 0 && (memoryLimitBytes ?? 0) > 0);
    await client.pause(id);
    assert.equal(await stateOf(), 'paused');
    await client.unpause(id);
    await client.rename(id, `${unique}-renamed`);
    assert.equal((await client.inspect(`${unique}-renamed`)).Id, id);
    await client.kill(id, 'SIGKILL');
    await until(async () => (await stateOf()) === 'exited', { what: 'it has ended' });
    assert.equal((await client.inspect(id)).State.ExitCode, 137);
    await client.start(id);
    await client.stop(id, 0);
    assert.equal(await stateOf(), 'exited');
    await client.remove(id);
    await failsWith('isNotFound', client.inspect(id));
  });

  it('keeps the volumes of what it removes', async () => {
    const volume = `${unique}-kept`;
    await engine.run(['volume', 'create', ...engine.label, volume]);
    const id = await client.create(`${unique}-volume`, body({ Binds: [`${volume}:/data`] }));
    const format = '{{range .Mounts}}{{.Name}} {{end}}';
    const names = (await engine.run(['inspect', '-f', format, id])).trim().split(' ');
    assert.equal(names.length, 2);
    await client.remove(id, { force: true });
    const left = (await engine.run(['volume', 'ls', '-q'])).split('\n');
    assert.ok(names.every((name) => left.includes(name)));
    await engine.run(['volume', 'rm', ...names]);
  });

  it('tells failures apart', async () => {
    const port = String(await freePort());
    const published = { PortBindings: { '7000/tcp': [{ HostIp: '127.0.0.1', HostPort: port }] } };
    const id = await client.create(`${unique}-first`, body(published));
    await client.start(id);
    await failsWith('isNotModified', client.start(id));
    await failsWith('isNameClash', client.create(`${unique}-first`, body()));
    const second = await client.create(`${unique}-second`, body(published));
    await failsWith('isPortClash', client.start(second));
    await failsWith('isNameClash', client.rename(second, `${unique}-first`));
    await failsWith('isNotModified', client.stop(second, 0));
    await failsWith('isNoImage', client.create(`${unique}-x`, { ...body(), Image: 'berth-bench/no-such:1' }));
    assert.equal(await client.image('berth-bench/no-such:1'), undefined);
    const lost = await client.create(`${unique}-lost`, body({ NetworkMode: `${unique}-no-network` }));
    await failsWith('isNoNetwork', client.start(lost));
    await failsWith('isNotFound', client.start(`${unique}-nobody`));
    await failsWith('isNotFound', client.remove(`${unique}-nobody`));
    // A process of the machine, not a container, has the port.
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const taken = typeof address === 'object' ? String(address?.port) : '';
    const bindings = { PortBindings: { '7000/tcp': [{ HostIp: '127.0.0.1', HostPort: taken }] } };
    const third = await client.create(`${unique}-third`, body(bindings));
    await failsWith('isPortClash', client.start(third));
    server.close();
  });

  it('refuses names that would change the path of a request', async () => {
    for (const id of ['../info', 'a/b', 'a?b', '', 'a b', '..'])
      await assert.rejects(client.inspect(id), (error) => isBerthError(error, 'request.invalid'), id);
    await assert.rejects(client.image('../containers/x'), (error) => isBerthError(error, 'request.invalid'));
  });

  it('says what to do when nobody answers', async () => {
    const nobody = clientAt({ socketPath: join(tmpdir(), `${unique}-none.sock`) });
    await failsWith('isUnavailable', nobody.list());
    await assert.rejects(nobody.list(), {
      hint: 'is the Docker daemon running, and is its socket mounted here?',
    });
    const refused = clientAt({ host: '127.0.0.1', port: await freePort(), isTls: false });
    await assert.rejects(refused.list(), { hint: 'is the Docker daemon running?' });
  });

  it('is not led astray by DOCKER_HOST', async () => {
    const saved = process.env['DOCKER_HOST'];
    process.env['DOCKER_HOST'] = 'tcp://127.0.0.1:1';
    try {
      const other = clientAt({ socketPath: engine.socketPath });
      assert.ok(Array.isArray(await other.list()));
      assert.equal(process.env['DOCKER_HOST'], 'tcp://127.0.0.1:1');
    } finally {
      if (saved === undefined) delete process.env['DOCKER_HOST'];
      else process.env['DOCKER_HOST'] = saved;
    }
  });

  it('ends a call when its signal aborts, and refuses what is not an answer of Docker', async () => {
    const sockets = new Set<{ destroy(): void }>();
    let answer: string | undefined;
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      const text = answer;
      if (text !== undefined) socket.once('data', () => socket.end(text));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const silent = clientAt({ host: '127.0.0.1', port, isTls: false });
    const stop = new AbortController();
    const calls = [
      silent.list(stop.signal),
      silent.events(undefined, stop.signal),
      silent.image('x', stop.signal),
    ];
    const settled = Promise.allSettled(calls);
    await until(() => sockets.size >= 3, { what: 'the calls are under way' });
    stop.abort(new Error('enough'));
    for (const result of await settled)
      assert.ok(result.status === 'rejected' && result.reason.message === 'enough');
    for (const text of ['hello\r\n', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}']) {
      answer = text;
      await failsWith('isUnavailable', clientAt({ host: '127.0.0.1', port, isTls: false }).list());
    }
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it('ends a call that takes too long', async () => {
    const late = () => new Error('late');
    await assert.rejects(
      callWithDeadline(20, undefined, late, () => new Promise(() => undefined)),
      /^Error: late$/,
    );
    const heeding = (signal: AbortSignal) =>
      new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(new Error('heeded'))));
    await assert.rejects(callWithDeadline(20, undefined, late, heeding), /^Error: late$/);
    assert.equal(await callWithDeadline(10_000, undefined, late, async () => 5), 5);
  });

  it('says that the disk is full', async (t) => {
    const folder = await mkdtemp(join(cacheFolder(), 'full-'));
    await execute('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]);
    t.after(async () => {
      await execute('umount', ['-l', folder]);
      await rm(folder, { recursive: true, force: true });
    });
    await using daemon = await startDaemon([], folder);
    await ensureTinyImage(daemon.run);
    const full = clientAt({ socketPath: daemon.socketPath });
    await execute('dd', ['if=/dev/zero', `of=${join(folder, 'filler')}`, 'bs=1M', 'count=64']).catch(
      () => undefined,
    );
    await failsWith('isNoSpace', full.create('no-space', body()));
  });
});

describe('a failure', () => {
  it('is known by its sentence also from newer engines and from Podman', () => {
    const cases: [number, string, string][] = [
      [
        500,
        'driver failed programming external connectivity on endpoint x (1): Bind for 0.0.0.0:80 failed: port is already allocated',
        'port-clash',
      ],
      [
        500,
        'failed to set up container networking: driver failed programming external connectivity on endpoint x (1): failed to bind host port for 0.0.0.0:80:172.17.0.2:80/tcp: address already in use',
        'port-clash',
      ],
      [
        500,
        'driver failed programming external connectivity on endpoint x (1): failed to bind host port 127.0.0.1:80/tcp: address already in use',
        'port-clash',
      ],
      [
        500,
        'driver failed programming external connectivity on endpoint x: Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use',
        'port-clash',
      ],
      [500, 'rootlessport listen tcp 0.0.0.0:80: bind: address already in use', 'port-clash'],
      [
        409,
        'Conflict. The container name "/a" is already in use by container "b". You have to remove (or rename) that container to be able to reuse that name.',
        'name-clash',
      ],
      [
        500,
        'creating container storage: the container name "a" is already in use by 3f. You have to remove that container to be able to reuse that name: that name is already in use',
        'name-clash',
      ],
      [404, 'No such image: a:1', 'no-image'],
      [404, 'no such image: a: image not known', 'no-image'],
      [404, 'network a not found', 'no-network'],
      [404, 'failed to set up container networking: network a not found', 'no-network'],
      [500, 'unable to find network with name or ID a: network not found', 'no-network'],
      [500, 'error creating overlay mount to /x: no space left on device', 'no-space'],
      [500, 'mkdir /var/lib/docker/x: disk quota exceeded', 'no-space'],
      [404, 'No such container: a', 'not-found'],
      [409, 'removal of container 0f3a is already in progress', 'being-removed'],
      [
        409,
        'You cannot remove a running container 0f3a. Stop the container before attempting removal',
        'other',
      ],
      [304, 'container already started', 'not-modified'],
      [500, 'Address already in use', 'other'],
      [500, 'server error', 'other'],
    ];
    for (const [status, sentence, expected] of cases)
      assert.equal(classifyFailure(status, sentence), expected, sentence);
  });
});

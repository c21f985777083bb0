// Row 60, the observing half: several Docker hosts, one over TLS that is verified, each of which may go away and come
// back. Two engines of the test's own.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createDockerClient, type DockerClient } from '../../coordinator/targets/docker/client.ts';
import { isUnavailable } from '../../coordinator/targets/docker/docker-error.ts';
import { dockerHostsSchema, endpointOf } from '../../coordinator/targets/docker/host-schema.ts';
import { DockerObserver } from '../../coordinator/targets/docker/observer.ts';
import { systemClock } from '../../shared/clock.ts';
import { freePort, until } from '../bench/wait.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { type Certificates, makeCertificates } from './certificates.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { ensureTinyImage, tinyImage } from './tiny-image.ts';

let folder: string;
let certificates: Certificates;
let near: Daemon;
let far: Daemon;
let farAddress: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-hosts-'));
  certificates = await makeCertificates(folder);
  const { ca, serverCert, serverKey } = certificates;
  farAddress = `127.0.0.1:${await freePort()}`;
  near = await startDaemon();
  far = await startDaemon([
    ...['--host', `tcp://${farAddress}`, '--tlsverify'],
    ...['--tlscacert', ca, '--tlscert', serverCert, '--tlskey', serverKey],
  ]);
  for (const daemon of [near, far]) await ensureTinyImage(daemon.run);
});
after(async () => {
  await near?.[Symbol.asyncDispose]();
  await far?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A container that ends a second after it is told to; gives its id. */
async function run(daemon: Daemon, name: string): Promise<string> {
  const options = '--network none --stop-timeout 1 --label berth.service=web'.split(' ');
  return (await daemon.run(['run', '-d', ...options, '--name', name, tinyImage])).trim();
}

function observe(client: DockerClient, signal: AbortSignal) {
  const log = memoryLog();
  const observer = new DockerObserver({ client, log, clock: systemClock, intervalMs: 500 });
  const ended = observer.run(signal);
  const seen: boolean[] = [];
  observer.onChange(({ known }) => seen.push(known));
  const names = () =>
    observer
      .view()
      .instances.map(({ name }) => name)
      .sort();
  const see = (what: string, condition: () => boolean) =>
    until(condition, { what: `${observer.host} ${what}`, deadlineMs: 30_000 });
  return { observer, log, ended, names, see, seen };
}

describe('Docker hosts', () => {
  it('are observed side by side; one that is killed is unknown, not empty, and is seen again when it is back', async (t) => {
    const { ca, cert, key } = certificates;
    const hosts = dockerHostsSchema.parse([
      { name: 'near', host: `unix://${near.socketPath}` },
      { name: 'far', host: `tcp://${farAddress}`, ca, cert, key },
    ]);
    const stop = new AbortController();
    t.after(() => stop.abort());
    const clients = await Promise.all(hosts.map(async (host) => createDockerClient(await endpointOf(host))));
    const [nearHost, farHost] = clients.map((client) => observe(client, stop.signal));
    assert.ok(nearHost !== undefined && farHost !== undefined);
    await run(near, 'near-1');
    const farId = await run(far, 'far-1');
    await nearHost.see('shows its instance', () => nearHost.names().join() === 'near-1');
    await farHost.see('shows its instance', () => farHost.names().join() === 'far-1');
    assert.deepEqual(
      farHost.observer.view().instances.map(({ host }) => host),
      ['far'],
    );

    await far.kill();
    await farHost.see('is unknown', () => !farHost.observer.view().known);
    const lost = farHost.observer.view();
    assert.ok(!lost.known);
    assert.equal(lost.error.code, 'docker.unavailable');
    assert.ok(lost.since <= Date.now());
    assert.deepEqual(
      lost.instances.map(({ name, isStale }) => [name, isStale]),
      [['far-1', true]],
    );
    assert.equal(farHost.observer.fate(farId), 'unknown');
    const again = await farHost.observer.lookAgain(stop.signal);
    assert.ok(!again.known && again.since === lost.since && again.instances.length === 1);
    assert.equal(nearHost.observer.view().known, true);
    assert.deepEqual(nearHost.names(), ['near-1']);

    await far.start();
    await farHost.see('is known again', () => farHost.observer.view().known);
    assert.deepEqual(farHost.names(), ['far-1']);
    // An engine that has just started lists its containers before it can tell all of them.
    const isFresh = () => farHost.observer.view().instances.every(({ isStale }) => !isStale);
    await farHost.see('shows what is true now', isFresh);
    // Unknown was told once, however often it was asked.
    assert.equal(farHost.seen.filter((known) => !known).length, 1);
    stop.abort();
    await Promise.all([nearHost.ended, farHost.ended]);
    for (const client of clients) client.close();
  });

  it('whose daemon restarts in the middle of the events are caught up with, and followed by events again', async (t) => {
    const stop = new AbortController();
    t.after(() => stop.abort());
    const endpoint = {
      name: 'near',
      address: { socketPath: near.socketPath },
      tls: undefined,
      from: 'the test',
    };
    const client = createDockerClient(endpoint);
    // So rare are its own looks that only events and the end of the stream can bring one.
    const log = memoryLog();
    const observer = new DockerObserver({ client, log, clock: systemClock, intervalMs: 60_000 });
    const ended = observer.run(stop.signal);
    const names = () => observer.view().instances.map(({ name }) => name);
    const events = (event: string) => log.lines.filter(({ fields }) => fields['event'] === event).length;
    await until(() => observer.view().known, { what: 'the host is known' });
    await run(near, 'before');
    await until(() => names().includes('before'), { what: 'a container is seen by its event' });
    await near.stop();
    await until(() => events('docker.events-lost') > 0, { what: 'the events are lost' });
    await near.start();
    // Nobody tells of this one while the subscription is not back: the look that follows it does.
    await run(near, 'between');
    await until(() => events('docker.events-resumed') > 0, {
      what: 'the events are back',
      deadlineMs: 20_000,
    });
    await until(() => names().includes('between'), { what: 'the listing has caught up' });
    await run(near, 'after');
    await until(() => names().includes('after'), { what: 'a container is seen by its event again' });
    stop.abort();
    await ended;
    client.close();
  });

  it('are refused over TLS without a client certificate, or with the wrong CA, with what to do', async () => {
    const { ca, cert, key } = certificates;
    const other = await makeCertificates(join(folder, 'other'));
    const client = async (files: { ca?: string; cert?: string; key?: string }) =>
      createDockerClient(await endpointOf({ name: 'far', host: `tcp://${farAddress}`, ...files }));
    const cases: [{ ca?: string; cert?: string; key?: string }, RegExp][] = [
      [{ ca }, /client certificate/],
      [{ ca: other.ca, cert, key }, /`ca` the CA/],
      [{ ca, cert: other.cert, key: other.key }, /client certificate/],
      [{}, /does the engine want TLS/],
    ];
    for (const [files, hint] of cases) {
      await assert.rejects((await client(files)).list(), (error) => {
        assert.ok(isUnavailable(error), String(error));
        assert.match(error.hint ?? error.message, hint);
        return true;
      });
    }
    assert.equal((await (await client({ ca, cert, key })).list()).length, 1);
  });
});

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { formatAddress, parseAddress } from '../../coordinator/targets/docker/endpoint.ts';
import { findEndpoint, type Surroundings } from '../../coordinator/targets/docker/find-endpoint.ts';
import { dockerHostsSchema, endpointOf } from '../../coordinator/targets/docker/host-schema.ts';
import { memoryLog } from '../coordinator/memory-log.ts';

interface Place extends Surroundings {
  file(path: string, text?: string): Promise<string>;
  listen(path: string): Promise<void>;
}

/** A root of its own, with a home in it. */
async function place(t: TestContext, env: Record<string, string> = {}): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), 'berth-find-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const file = async (path: string, text = '') => {
    const whole = join(root, path);
    await mkdir(dirname(whole), { recursive: true });
    await writeFile(whole, text);
    return whole;
  };
  const listen = async (path: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(join(root, path), resolve));
    t.after(() => server.close());
  };
  return { root, home: join(root, 'home'), uid: 1000, env, file, listen };
}

async function found(surroundings: Surroundings) {
  const log = memoryLog();
  const { address, tls, from } = await findEndpoint(surroundings, log);
  return { host: formatAddress(address).replace(surroundings.root, ''), tls, from, lines: log.lines };
}

const meta = (context: string) =>
  `home/.docker/contexts/meta/${createHash('sha256').update(context).digest('hex')}/meta.json`;
const tlsOf = (context: string) =>
  `home/.docker/contexts/tls/${createHash('sha256').update(context).digest('hex')}/docker`;

describe('the Docker Engine is found', () => {
  it('by DOCKER_HOST before anything else', async (t) => {
    const here = await place(t, { DOCKER_HOST: 'tcp://10.0.0.5', DOCKER_CONTEXT: 'lab' });
    await here.listen('var/run/docker.sock');
    const { host, tls, from } = await found(here);
    assert.deepEqual([host, tls, from], ['tcp://10.0.0.5:2375', undefined, 'DOCKER_HOST']);
  });

  it('over TLS with DOCKER_TLS_VERIFY and the files of DOCKER_CERT_PATH', async (t) => {
    const here = await place(t);
    const folder = dirname(await here.file('certs/ca.pem', 'CA'));
    const env = { DOCKER_HOST: 'tcp://10.0.0.5', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder };
    await assert.rejects(found({ ...here, env }), /DOCKER_CERT_PATH: cannot read .*certs\/(cert|key)\.pem/);
    await here.file('certs/cert.pem', 'CERT');
    await here.file('certs/key.pem', 'KEY');
    const { host, tls } = await found({ ...here, env });
    assert.equal(host, 'tcp://10.0.0.5:2376');
    assert.deepEqual(tls, { ca: 'CA', cert: 'CERT', key: 'KEY', isVerified: true });
  });

  it('by the context that DOCKER_CONTEXT or the configuration names, with its TLS files', async (t) => {
    const here = await place(t);
    await here.listen('var/run/docker.sock');
    await here.file('home/.docker/config.json', '{"currentContext":"lab"}');
    await here.file(
      meta('lab'),
      '{"Name":"lab","Endpoints":{"docker":{"Host":"tcp://lab:2376","SkipTLSVerify":false}}}',
    );
    await here.file(join(tlsOf('lab'), 'ca.pem'), 'CA');
    await here.file(meta('other'), '{"Name":"other","Endpoints":{"docker":{"Host":"unix:///other.sock"}}}');
    const lab = await found(here);
    assert.deepEqual([lab.host, lab.from, lab.tls?.ca], ['tcp://lab:2376', 'the context lab', 'CA']);
    const other = await found({ ...here, env: { DOCKER_CONTEXT: 'other' } });
    assert.deepEqual([other.host, other.from], ['unix:///other.sock', 'the context other']);
    const none = await found({ ...here, env: { DOCKER_CONTEXT: 'default' } });
    assert.equal(none.from, 'the default socket');
    await assert.rejects(
      found({ ...here, env: { DOCKER_CONTEXT: 'gone' } }),
      /the context gone: cannot read/,
    );
    await here.file('home/.docker/config.json', '{');
    await assert.rejects(found(here), /config\.json is not Docker's configuration/);
  });

  it('by the first socket that somebody listens on: the default one, rootless, Podman', async (t) => {
    const here = await place(t);
    await here.listen('run/podman/podman.sock');
    assert.equal((await found(here)).from, "Podman's socket");
    await here.listen('run/user/1000/docker.sock');
    assert.equal((await found(here)).from, "a rootless engine's socket");
    await here.file('var/run/docker.sock');
    assert.equal((await found(here)).from, "a rootless engine's socket");
    await rm(join(here.root, 'var/run/docker.sock'));
    await here.listen('var/run/docker.sock');
    const { from, lines } = await found(here);
    assert.equal(from, 'the default socket');
    assert.deepEqual(
      lines.map(({ fields }) => fields['event']),
      ['docker.searched', 'docker.searched', 'docker.found'],
    );
  });

  it('by a socket that is there while its engine is not', async (t) => {
    const here = await place(t);
    await here.file('run/podman/podman.sock');
    await chmod(join(here.root, 'run/podman/podman.sock'), 0o600);
    assert.equal((await found(here)).from, "Podman's socket");
  });

  it('nowhere: the error lists what was tried', async (t) => {
    await assert.rejects(found(await place(t)), (error: Error & { hint?: string }) => {
      for (const name of ['DOCKER_HOST', 'the Docker context', 'the default socket', 'rootless', 'Podman'])
        assert.ok(error.message.includes(name), error.message);
      assert.match(error.hint ?? '', /set DOCKER_HOST/);
      return true;
    });
  });
});

describe('an address', () => {
  it('is a socket, or a host with a port', () => {
    const shown = (text: string, isTls = false) => formatAddress(parseAddress(text, 'DOCKER_HOST', isTls));
    assert.equal(shown('unix:///run/docker.sock'), 'unix:///run/docker.sock');
    assert.equal(shown('10.0.0.1:1234'), 'tcp://10.0.0.1:1234');
    assert.equal(shown('https://docker.test'), 'tcp://docker.test:2376');
    assert.equal(shown('tcp://[::1]:2375'), 'tcp://[::1]:2375');
    assert.equal(shown('tcp://docker.test/', true), 'tcp://docker.test:2376');
  });

  for (const text of [
    'unix://docker.sock',
    'tcp://',
    'tcp://a b',
    'tcp://h:99999',
    'tcp://h:0',
    'ssh://me@host',
    'npipe:////./pipe/x',
    '',
    'tcp://h/path',
  ])
    it(`${JSON.stringify(text)} is refused by its name`, () => {
      assert.throws(
        () => parseAddress(text, 'DOCKER_HOST'),
        (error: Error) => {
          assert.ok(
            error.message.startsWith(`DOCKER_HOST: the Docker address ${JSON.stringify(text)}`),
            error.message,
          );
          return true;
        },
      );
    });
});

describe('hosts of the configuration', () => {
  it('have names of their own, and TLS when they have its files', async (t) => {
    const here = await place(t);
    const ca = await here.file('ca.pem', 'CA');
    const hosts = dockerHostsSchema.parse([
      { name: 'here', host: 'unix:///run/docker.sock' },
      { name: 'lab', host: 'tcp://lab', ca },
    ]);
    const [local, lab] = await Promise.all(hosts.map(endpointOf));
    assert.deepEqual(local, {
      name: 'here',
      address: { socketPath: '/run/docker.sock' },
      tls: undefined,
      from: 'docker host here',
    });
    assert.deepEqual(lab?.address, { host: 'lab', port: 2376, isTls: true });
    assert.deepEqual(lab?.tls, { ca: 'CA', cert: undefined, key: undefined, isVerified: true });
  });

  it('are refused with the reason', async () => {
    const bad = [
      [{ name: 'a b', host: 'tcp://x' }],
      [{ name: 'a', host: 'tcp://x', tls: true }],
      [
        { name: 'a', host: 'tcp://x' },
        { name: 'a', host: 'tcp://y' },
      ],
    ];
    for (const hosts of bad) assert.equal(dockerHostsSchema.safeParse(hosts).success, false);
    await assert.rejects(
      endpointOf({ name: 'a', host: 'unix:///x', ca: '/ca.pem' }),
      /unix socket, which has no TLS/,
    );
    await assert.rejects(
      endpointOf({ name: 'a', host: 'tcp://x', ca: '/no/ca.pem' }),
      /docker host a: cannot read \/no\/ca\.pem/,
    );
    await assert.rejects(endpointOf({ name: 'a', host: 'tcp://x', cert: '/dev/null' }), /go together/);
  });
});

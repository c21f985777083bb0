// A second Docker host on this machine, of a test's own: reached over TLS that is verified both ways, with a network of
// the stage's name, so that one container's settings suit both hosts, and with the base image once it is asked for.
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dockerEngine } from '../bench/docker.ts';
import { baseImage, ensureBaseImage } from '../bench/images.ts';
import { freePort } from '../bench/wait.ts';
import { makeCertificates } from '../docker/certificates.ts';
import { type Daemon, startDaemon } from '../docker/daemon.ts';

export interface FarHost extends AsyncDisposable {
  readonly daemon: Daemon;
  /** Its entry in the configuration's list of Docker hosts. */
  readonly entry: Readonly<Record<'name' | 'host' | 'ca' | 'cert' | 'key', string>>;
  /** Makes a network of that name, with addresses that no other network here has. */
  network(name: string): Promise<void>;
  /** Copies the base image from the bench's engine. */
  loadImage(): Promise<void>;
}

export async function startFarHost(name = 'far', options: readonly string[] = []): Promise<FarHost> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-far-'));
  const { ca, cert, key, serverCert, serverKey } = await makeCertificates(folder);
  const address = `127.0.0.1:${await freePort()}`;
  const daemon = await startDaemon([
    ...['--host', `tcp://${address}`, '--tlsverify'],
    ...['--tlscacert', ca, '--tlscert', serverCert, '--tlskey', serverKey],
    ...options,
  ]);
  return {
    daemon,
    entry: { name, host: `tcp://${address}`, ca, cert, key },
    network: async (network) => {
      const subnet = `10.${192 + randomInt(60)}.${randomInt(256)}.0/24`;
      await daemon.run(['network', 'create', '--subnet', subnet, network]);
    },
    loadImage: async () => {
      const engine = await dockerEngine();
      await ensureBaseImage(engine);
      const archive = join(folder, 'image.tar');
      await engine.run(['save', '-o', archive, baseImage]);
      await daemon.run(['load', '-q', '-i', archive]);
      await rm(archive);
    },
    [Symbol.asyncDispose]: async () => {
      await daemon[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

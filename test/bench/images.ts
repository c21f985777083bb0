// Images for the tests. Where no registry can be reached, an image of the same name and shape is made from Debian
// packages, so that the project's Dockerfiles stay what a user would write.
import { execFile } from 'node:child_process';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { withLock } from './cache.ts';
import type { DockerEngine } from './docker.ts';
import { type HaproxyVersion, haproxyRoot } from './haproxy-root.ts';
import { ensurePackages } from './packages.ts';

const execute = promisify(execFile);

/** What the project's Dockerfiles start from. */
export const baseImage = 'node:24-bookworm-slim';

const path = 'ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';

/** Makes sure that the engine has `baseImage`: pulled, or a stand-in of that name. */
export function ensureBaseImage(engine: DockerEngine): Promise<void> {
  const authority = process.env['NODE_EXTRA_CA_CERTS'] ? [`ENV NODE_EXTRA_CA_CERTS=${authorities}`] : [];
  return ensureImage(engine, baseImage, makeNodeArchive, ['CMD ["node"]', path, ...authority]);
}

/** Where this machine needs an authority of its own to reach the npm registry, `RUN npm ci` in an image needs it too. */
const authorities = '/usr/local/share/machine-authorities.pem';

/**
 * An image with HAProxy of this version, in the shape of the official one: `haproxy` on the path, its configuration
 * expected at /usr/local/etc/haproxy/haproxy.cfg. Under the name `as` it stands in for the image that a file names.
 */
export async function haproxyImage(
  engine: DockerEngine,
  version: HaproxyVersion,
  as = `berth-bench/haproxy:${version}`,
): Promise<string> {
  const makeArchive = async (archive: string) => {
    await execute('tar', ['-C', await haproxyRoot(version), '-cf', archive, '.']);
  };
  await ensureImage(engine, as, makeArchive, [
    'CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]',
    path,
  ]);
  return as;
}

/** Leaves an image alone that is there, else pulls it, else imports what `makeArchive` writes. */
async function ensureImage(
  engine: DockerEngine,
  name: string,
  makeArchive: (archive: string) => Promise<void>,
  changes: readonly string[],
): Promise<void> {
  const succeeds = (args: readonly string[], deadlineMs?: number) =>
    engine.run(args, deadlineMs).then(
      () => true,
      () => false,
    );
  await withLock(`image-${name}`, async () => {
    if (await succeeds(['image', 'inspect', name])) return;
    const isOurs = name.startsWith('berth-bench/');
    if (!isOurs && (await succeeds(['pull', '-q', name], 180_000))) return;
    const started = performance.now();
    const folder = await mkdtemp(join(tmpdir(), 'berth-image-'));
    try {
      const archive = join(folder, 'image.tar');
      await makeArchive(archive);
      const words = [...changes, 'LABEL berth.test.stand-in=true'].flatMap((change) => ['--change', change]);
      await engine.run(['import', ...words, archive, name], 120_000);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.error(`bench: made the image ${name} from Debian packages in ${seconds} s`);
  });
}

/** Debian bookworm with this Node, npm and the user `node`, as in the official image. */
async function makeNodeArchive(archive: string): Promise<void> {
  await ensurePackages('mmdebstrap');
  const npm = dirname(dirname(await realpath((await execute('which', ['npm'])).stdout.trim())));
  const hooks = [
    'cp --dereference "$BENCH_NODE" "$1/usr/local/bin/node"',
    'mkdir -p "$1/usr/local/lib/node_modules"',
    'cp -r "$BENCH_NPM" "$1/usr/local/lib/node_modules/npm"',
    'ln -s ../lib/node_modules/npm/bin/npm-cli.js "$1/usr/local/bin/npm"',
    'ln -s ../lib/node_modules/npm/bin/npx-cli.js "$1/usr/local/bin/npx"',
    `if [ -n "$NODE_EXTRA_CA_CERTS" ]; then cp --dereference "$NODE_EXTRA_CA_CERTS" "$1${authorities}"; fi`,
    'chroot "$1" useradd --uid 1000 --user-group --create-home --shell /bin/bash node',
  ];
  const args = ['--variant=minbase', ...hooks.map((hook) => `--customize-hook=${hook}`), 'bookworm', archive];
  await execute('mmdebstrap', args, {
    env: { ...process.env, BENCH_NODE: process.execPath, BENCH_NPM: npm },
    maxBuffer: 64 * 1024 * 1024,
  });
}

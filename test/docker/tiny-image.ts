// An image of one static busybox, imported in a tenth of a second into any engine, with a configuration of its own
// so that containers have something to inherit.
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensurePackages } from '../bench/packages.ts';

const execute = promisify(execFile);

export const tinyImage = 'berth-bench/tiny:1';

const configuration = [
  'ENV FROM_IMAGE=yes PATH=/bin',
  'CMD ["sleep", "600"]',
  'LABEL image.label=tiny',
  'EXPOSE 7000',
  'VOLUME /image-volume',
  'WORKDIR /tmp',
];

/** Imports the image under `name`, with further Dockerfile instructions. `run` runs the Docker CLI. */
export async function ensureTinyImage(
  run: (args: readonly string[]) => Promise<string>,
  name = tinyImage,
  further: readonly string[] = [],
): Promise<void> {
  const isThere = await run(['image', 'inspect', name]).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  await ensurePackages('busybox-static');
  const folder = await mkdtemp(join(tmpdir(), 'berth-tiny-'));
  try {
    const root = join(folder, 'root');
    for (const path of ['bin', 'tmp', 'etc', 'proc', 'sys', 'dev'])
      await mkdir(join(root, path), { recursive: true });
    await chmod(join(root, 'tmp'), 0o1777);
    await cp('/bin/busybox', join(root, 'bin/busybox'));
    for (const command of ['sh', 'sleep', 'cat', 'true', 'false', 'kill', 'ls', 'dd', 'echo', 'test'])
      await symlink('busybox', join(root, 'bin', command));
    const archive = join(folder, 'image.tar');
    await execute('tar', ['-C', root, '-cf', archive, '.']);
    const changes = [...configuration, ...further].flatMap((line) => ['--change', line]);
    await run(['import', ...changes, archive, name]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

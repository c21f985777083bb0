// HAProxy in the versions that Berth supports, each from the Debian release that ships it, whatever the machine runs.
//
// A version is a root file system in the cache, about 50 MB: `mmdebstrap --variant=extract` unpacks the packages and runs none
// of their scripts, which takes 5 s. The script `haproxy` at its top starts the binary by the root's own dynamic loader
// and libraries, so no chroot is needed: configuration, sockets and certificates keep the paths that the test gave.
// `--argv0` matters: a master re-executes its argv[0] on a reload, which must be the script again.
import { execFile } from 'node:child_process';
import { chmod, cp, lstat, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from './cache.ts';
import { ensurePackages } from './packages.ts';

const execute = promisify(execFile);

/** The lines of versions, oldest first. `3.2` is what Debian unstable has: 3.2 or later. */
export const haproxyVersions = ['2.6', '3.0', '3.2'] as const;
export type HaproxyVersion = (typeof haproxyVersions)[number];

const releases: Record<HaproxyVersion, string> = { '2.6': 'bookworm', '3.0': 'trixie', '3.2': 'sid' };

const launcher = `#!/bin/sh
root=\${0%/*}
for loader in "$root"/usr/lib*/ld-linux-*.so.*; do
  for libraries in "$root"/usr/lib/*-linux-gnu; do
    exec "$loader" --argv0 "$0" --library-path "$libraries" "$root/usr/sbin/haproxy" "$@"
  done
done
`;

/** The root folder of a version, made on first use. */
export async function haproxyRoot(version: HaproxyVersion): Promise<string> {
  return cached(`haproxy-${version}-${process.arch}`, async (folder) => {
    await ensurePackages('mmdebstrap');
    const release = releases[version];
    console.error(`bench: making HAProxy ${version} from Debian ${release}`);
    // An archive that is a mirror or a snapshot may be past its date.
    const old = 'Acquire::Check-Valid-Until "false"';
    await execute(
      'mmdebstrap',
      ['--variant=extract', '--include=haproxy,dash', `--aptopt=${old}`, release, folder],
      {
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    await mergeUsr(folder);
    await rm(join(folder, 'usr/share'), { recursive: true, force: true });
    await addWhatScriptsWould(folder);
    await writeFile(join(folder, 'haproxy'), launcher);
    await chmod(join(folder, 'haproxy'), 0o755);
    await checkVersion(folder, version);
  });
}

/** The command that runs a version: takes HAProxy's own arguments. */
export async function haproxyCommand(version: HaproxyVersion): Promise<string> {
  return join(await haproxyRoot(version), 'haproxy');
}

/** `/bin`, `/lib`, … become links into `/usr`: the package that does so has no script run here. */
async function mergeUsr(root: string): Promise<void> {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    const folder = join(root, name);
    const is = await lstat(folder).catch(() => undefined);
    await mkdir(join(root, 'usr', name), { recursive: true });
    if (is?.isDirectory() === true) {
      await cp(folder, join(root, 'usr', name), { recursive: true, verbatimSymlinks: true });
      await rm(folder, { recursive: true });
    }
    if (is?.isSymbolicLink() !== true) await symlink(`usr/${name}`, folder);
  }
}

/** For the use as an image: the users, a shell, and the folders that configurations name. */
async function addWhatScriptsWould(root: string): Promise<void> {
  for (const name of ['tmp', 'run/haproxy', 'var/lib/haproxy', 'usr/local/etc/haproxy']) {
    await mkdir(join(root, name), { recursive: true });
  }
  await writeFile(
    join(root, 'etc/passwd'),
    'root:x:0:0::/:/bin/sh\nhaproxy:x:99:99::/var/lib/haproxy:/bin/false\n',
  );
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nhaproxy:x:99:\n');
  await rm(join(root, 'usr/bin/sh'), { force: true });
  await symlink('dash', join(root, 'usr/bin/sh'));
}

async function checkVersion(root: string, version: HaproxyVersion): Promise<void> {
  const { stdout } = await execute(join(root, 'haproxy'), ['-v']);
  const found = /HAProxy version (\d+)\.(\d+)/.exec(stdout);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isRight =
    Number(found?.[1]) === major &&
    (version === '3.2' ? Number(found?.[2]) >= minor : Number(found?.[2]) === minor);
  if (!isRight)
    throw new Error(`expected HAProxy ${version}, and Debian ${releases[version]} has: ${stdout}`);
}

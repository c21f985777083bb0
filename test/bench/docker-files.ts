// Where the bench's own Docker Engine lives in the cache, and who uses it. Its users are files named after process ids.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './cache.ts';
import { isAlive } from './processes.ts';

export interface DockerFiles {
  readonly socket: string;
  readonly data: string;
  readonly exec: string;
  readonly pid: string;
  readonly log: string;
  readonly keeperLog: string;
  readonly users: string;
}

/** The engine's lock, held by who starts or ends it. */
export const dockerLock = 'docker';

export async function dockerFiles(): Promise<DockerFiles> {
  const folder = join(cacheFolder(), 'docker');
  const exec = join(folder, 'exec');
  // containerd's sockets lie below; the kernel allows 107 bytes for the path of a socket.
  const longest = join(exec, 'containerd/containerd.sock.ttrpc');
  if (Buffer.byteLength(longest) > 107) {
    throw new Error(
      `${longest} is too long for the path of a socket: set BERTH_BENCH_CACHE to a shorter folder`,
    );
  }
  const users = join(folder, 'users');
  await mkdir(users, { recursive: true });
  return {
    socket: join(folder, 'docker.sock'),
    data: join(folder, 'data'),
    exec,
    pid: join(folder, 'docker.pid'),
    log: join(folder, 'docker.log'),
    keeperLog: join(folder, 'keeper.log'),
    users,
  };
}

/** Notes that this process uses the engine. It need not sign off: a user is one while it lives. */
export async function signIn(files: DockerFiles): Promise<void> {
  await writeFile(join(files.users, String(process.pid)), '');
}

/** True while a process lives that signed in; forgets the dead. */
export async function isUsed(files: DockerFiles): Promise<boolean> {
  const pids = (await readdir(files.users)).map(Number);
  for (const pid of pids) if (!isAlive(pid)) await rm(join(files.users, String(pid)), { force: true });
  return pids.some(isAlive);
}

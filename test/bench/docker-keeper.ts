// Keeps the bench's own Docker Engine: a program of its own, started by the first user, that outlives it.
//
//   start dockerd ── while a user lives ──► remove what dead users left ── none for 3 s ──► stop dockerd, end
//
// So the engine serves test files that run at the same time, is still warm for the next one, and goes away however
// its users ended. To end, it takes the lock under which users sign in: none can slip in between. Should the keeper be
// killed, the kernel ends dockerd with it (`--pdeathsig`).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { withLock } from './cache.ts';
import { dockerFiles, dockerLock, isUsed } from './docker-files.ts';
import { removeOrphans } from './docker-label.ts';

const files = await dockerFiles();
await rm(files.pid, { force: true });
const log = openSync(files.log, 'w');
const daemon = spawn(
  'setpriv',
  [
    ...['--pdeathsig', 'TERM', 'dockerd'],
    ...['--host', `unix://${files.socket}`],
    ...['--data-root', files.data],
    ...['--exec-root', files.exec],
    ...['--pidfile', files.pid],
    ...['--mtu', String(await smallestMtu())],
    ...['--shutdown-timeout', '5'],
    ...['--log-level', 'warn'],
  ],
  { stdio: ['ignore', log, log], detached: true },
);
const ended = once(daemon, 'exit');
let isRunning = true;
void ended.then(() => {
  isRunning = false;
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => daemon.kill());

while (isRunning) {
  await delay(3000);
  if (await isUsed(files)) continue;
  await withLock(dockerLock, async () => {
    if ((await isUsed(files)) || !isRunning) return;
    await removeOrphans(`unix://${files.socket}`).catch((error: unknown) => console.error(error));
    daemon.kill();
    await ended;
    await rm(files.socket, { force: true });
  });
}

/** Containers must not send larger packets than the machine's own interfaces can. */
async function smallestMtu(): Promise<number> {
  const routes = (await readFile('/proc/net/route', 'utf8')).split('\n').slice(1, -1);
  const names = routes.map((route) => route.split('\t')[0] ?? '');
  const sizes = names.map(async (name) => Number(await readFile(`/sys/class/net/${name}/mtu`, 'utf8')));
  return Math.min(1500, ...(await Promise.all(sizes)));
}

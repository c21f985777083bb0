// Which Docker Engine the tests use, in this order:
//   1. DOCKER_HOST, when it will do
//   2. the default socket, when it will do
//   3. an engine of the bench's own, started here (needs root)
// An engine will do when it answers on a unix socket and the machine can reach the addresses of its containers, which
// is not so for Docker Desktop and rootless engines.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import * as z from 'zod/mini';
import { withLock } from './cache.ts';
import { dockerFiles, dockerLock, signIn } from './docker-files.ts';
import { ensurePackages } from './packages.ts';
import { runProcess } from './processes.ts';
import { until } from './wait.ts';

export interface DockerEndpoint {
  /** `unix://…` */
  readonly host: string;
  /** True for the bench's own engine. */
  readonly isOwn: boolean;
}

/** The engine to use; started when there is none. */
export async function findDocker(): Promise<DockerEndpoint> {
  if (!(await isOnPath('docker'))) await ensurePackages('docker.io', 'iptables');
  const own = await ownHost();
  const named = process.env['DOCKER_HOST'];
  for (const host of [named, 'unix:///var/run/docker.sock']) {
    if (host && host !== own && (await willDo(host))) return { host, isOwn: false };
    if (host && host === named)
      console.error(`bench: DOCKER_HOST=${host} is not used: see test/bench/docker-endpoint.ts`);
  }
  await startOwn();
  return { host: own, isOwn: true };
}

async function ownHost(): Promise<string> {
  return `unix://${(await dockerFiles()).socket}`;
}

const infoSchema = z.object({
  OSType: z.string(),
  OperatingSystem: z.string(),
  SecurityOptions: z.nullish(z.array(z.string())),
});

async function willDo(host: string): Promise<boolean> {
  const path = /^unix:\/\/(.+)$/.exec(host)?.[1];
  if (path === undefined || !(await canUse(path))) return false;
  try {
    const text = await runProcess('docker', ['-H', host, 'info', '--format', '{{json .}}'], {
      deadlineMs: 5000,
    });
    const info = z.parse(infoSchema, JSON.parse(text.split('\n')[0] ?? ''));
    const isRootless = info.SecurityOptions?.includes('name=rootless') === true;
    return info.OSType === 'linux' && info.OperatingSystem !== 'Docker Desktop' && !isRootless;
  } catch {
    return false;
  }
}

/** Signs this process in as a user, and starts the engine with its keeper when it does not run. */
async function startOwn(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Error(
      'the tests need a Docker Engine: start one that this user may use, or run them as root so that they can start their own',
    );
  }
  if (!(await isOnPath('dockerd')) || !(await isOnPath('iptables')))
    await ensurePackages('docker.io', 'iptables');
  const files = await dockerFiles();
  await withLock(dockerLock, async () => {
    await signIn(files);
    const host = await ownHost();
    if (await willDo(host)) return;
    const started = performance.now();
    const log = openSync(files.keeperLog, 'w');
    const keeper = spawn(process.execPath, [join(import.meta.dirname, 'docker-keeper.ts')], {
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    keeper.unref();
    await until(async () => keeper.exitCode !== null || (await willDo(host)), {
      what: `a Docker Engine of the bench's own answers; its log: ${files.log}`,
      deadlineMs: 60_000,
      everyMs: 100,
    });
    if (keeper.exitCode !== null) throw new Error(`dockerd ended; its log: ${files.log}`);
    console.error(`bench: started a Docker Engine in ${Math.round(performance.now() - started)} ms`);
  });
}

async function isOnPath(name: string): Promise<boolean> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = await Promise.all(folders.map((folder) => canUse(join(folder, name), constants.X_OK)));
  return found.includes(true);
}

async function canUse(path: string, mode = constants.R_OK | constants.W_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

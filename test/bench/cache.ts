// What takes long to make is kept between runs, outside the clone and shared by all clones: `BERTH_BENCH_CACHE`, else
// `$XDG_CACHE_HOME/berth-bench`, else `~/.cache/berth-bench`. An entry is made under a temporary name and renamed, so
// that it is either whole or absent.
//
// Locks are held by a child `flock`, whose standard input is a pipe from this process: however this process ends, the
// kernel closes the pipe and the lock is free. No stale lock can remain.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The cache folder; made when it is not there. */
export function cacheFolder(): string {
  const { BERTH_BENCH_CACHE: own, XDG_CACHE_HOME: xdg } = process.env;
  const folder = own || join(xdg || join(homedir(), '.cache'), 'berth-bench');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** The folder of the entry `name`, made by `build` into the folder that it is given when it is not there. */
export async function cached(name: string, build: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder(), name);
  if (existsSync(folder)) return folder;
  return withLock(name, async () => {
    if (existsSync(folder)) return folder;
    const unfinished = `${folder}.unfinished`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    await build(unfinished);
    await rename(unfinished, folder);
    return folder;
  });
}

/** Runs `action` while no other process runs one under the same name. */
export async function withLock<T>(name: string, action: () => Promise<T>): Promise<T> {
  const file = join(cacheFolder(), `${name.replaceAll('/', '-')}.lock`);
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'close');
  await Promise.race([
    once(holder.stdout, 'data'),
    ended.then(() => Promise.reject(new Error(`could not lock ${file}`))),
  ]);
  try {
    return await action();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

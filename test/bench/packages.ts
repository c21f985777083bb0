// Debian packages that the tests need, installed on demand. One process at a time; only what is missing; without
// recommendations; and without starting services: the tests start what they use themselves, on loopback.
import { execFile } from 'node:child_process';
import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { withLock } from './cache.ts';

const execute = promisify(execFile);
const policy = '/usr/sbin/policy-rc.d';
const saved = `${policy}.berth-saved`;
const ourPolicy =
  '#!/bin/sh\n# Written by the Berth test bench while it installs packages: no service starts.\nexit 101\n';

/** Makes sure that these Debian packages are installed, or rejects with what is missing and why. */
export async function ensurePackages(...names: readonly string[]): Promise<void> {
  if ((await missingPackages(names)).length === 0) return;
  await withLock('packages', async () => {
    const missing = await missingPackages(names);
    if (missing.length === 0) return;
    if (process.getuid?.() !== 0) {
      throw new Error(`the test bench needs: ${missing.join(' ')} (install them, or run the tests as root)`);
    }
    console.error(`bench: apt-get install ${missing.join(' ')}`);
    await withoutServices(() => install(missing));
  });
}

async function missingPackages(names: readonly string[]): Promise<string[]> {
  const format = `-f=\${Package} \${db:Status-Status}\n`;
  const listed = await execute('dpkg-query', ['-W', format, ...names]).catch((error: unknown) => {
    // It exits with 1 when it does not know one of the names, and still lists the others.
    if (isExecError(error) && error.code === 1) return error;
    throw new Error(`the test bench needs a Debian system, for: ${names.join(' ')}`, { cause: error });
  });
  const installed = new Set(
    listed.stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

async function install(names: readonly string[]): Promise<void> {
  const options = ['-y', '-q', '-o', 'DPkg::Lock::Timeout=300'];
  const apt = (...args: string[]) =>
    execute('apt-get', [...options, ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      maxBuffer: 64 * 1024 * 1024,
    });
  const installNow = () => apt('install', '--no-install-recommends', ...names);
  try {
    await installNow();
  } catch {
    // The package lists are absent or older than the archive.
    await apt('update');
    await installNow().catch((error: unknown) => {
      const detail = isExecError(error) ? error.stderr.trim() : String(error);
      throw new Error(`apt-get could not install ${names.join(' ')}: ${detail}`, { cause: error });
    });
  }
}

/** For the length of `action`, `invoke-rc.d` and `deb-systemd-invoke` start nothing; the machine's own policy is put back. */
async function withoutServices(action: () => Promise<void>): Promise<void> {
  await restorePolicy();
  if (await startsAreDenied()) return action();
  await rename(policy, saved).catch(() => undefined);
  await writeFile(policy, ourPolicy);
  await chmod(policy, 0o755);
  try {
    await action();
  } finally {
    await restorePolicy();
  }
}

/** Also mends what a run left behind that was killed in between. */
async function restorePolicy(): Promise<void> {
  const current = await readFile(policy, 'utf8').catch(() => undefined);
  if (current === ourPolicy) await rm(policy);
  await rename(saved, policy).catch(() => undefined);
}

async function startsAreDenied(): Promise<boolean> {
  return execute(policy, ['any', 'start']).then(
    () => false,
    (error: unknown) => isExecError(error) && error.code === 101,
  );
}

function isExecError(error: unknown): error is Error & { code: unknown; stdout: string; stderr: string } {
  return error instanceof Error && 'code' in error && 'stdout' in error && 'stderr' in error;
}

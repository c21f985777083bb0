// A dockerd of a test's own, beside the one that the bench shares: to be stopped, killed, filled up, or reached over
// TLS. It touches no firewall rules, and has a bridge of its own: told to have none, a dockerd removes `docker0`, which
// belongs to the engine that the bench shares.
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../bench/cache.ts';
import { ensurePackages } from '../bench/packages.ts';
import { type Running, runProcess, startProcess } from '../bench/processes.ts';
import { until } from '../bench/wait.ts';

export interface Daemon extends AsyncDisposable {
  readonly socketPath: string;
  /** Runs the Docker CLI against it. */
  run(args: readonly string[]): Promise<string>;
  /** Starts it again after `stop` or `kill`, with what it had; `more`: further options from now on. */
  start(more?: readonly string[]): Promise<void>;
  /** SIGTERM: in order. Its containers end with it. */
  stop(): Promise<void>;
  /** SIGKILL. Its containers go on. */
  kill(): Promise<void>;
  /** To the daemon and its containerd: SIGSTOP, as if it hung, and SIGCONT. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void>;
}

/** `dataRoot`: where its images and containers lie; default a folder that goes away with it. */
export async function startDaemon(options: readonly string[] = [], dataRoot?: string): Promise<Daemon> {
  if (process.getuid?.() !== 0) throw new Error("a dockerd of the test's own needs root");
  await ensurePackages('docker.io', 'iptables', 'iproute2');
  const bridge = await makeBridge();
  // In the cache folder, whose path is known to be short enough for containerd's sockets.
  const folder = await mkdtemp(join(cacheFolder(), 'd-'));
  const socketPath = join(folder, 'd.sock');
  const run = (args: readonly string[]) =>
    runProcess('docker', ['-H', `unix://${socketPath}`, ...args], {
      name: ['docker', ...args].join(' '),
      env: { DOCKER_CLI_HINTS: 'false', DOCKER_CONTEXT: '' },
    });
  let daemon: Running | undefined;
  const all = [...options];
  const start = async (more: readonly string[] = []) => {
    all.push(...more);
    await rm(join(folder, 'pid'), { force: true });
    const started = await startProcess(
      'setpriv',
      [
        ...['--pdeathsig', 'TERM', 'dockerd'],
        ...['--host', `unix://${socketPath}`],
        ...['--data-root', dataRoot ?? join(folder, 'data')],
        ...['--exec-root', join(folder, 'x')],
        ...['--pidfile', join(folder, 'pid')],
        ...['--bridge', bridge, '--iptables=false', '--ip-forward=false'],
        ...['--shutdown-timeout', '2', '--log-level', 'warn'],
        ...all,
      ],
      { name: 'dockerd' },
    );
    daemon = started;
    const answers = () =>
      run(['version', '--format', '{{.Server.Version}}']).then(
        () => true,
        () => false,
      );
    await until(async () => started.exit() !== undefined || (await answers()), {
      what: 'a Docker Engine of the test answers',
      deadlineMs: 30_000,
      everyMs: 100,
    });
    if (started.exit() !== undefined) throw new Error(`dockerd ended: ${started.output().slice(-2000)}`);
  };
  const stop = async () => {
    await daemon?.stop(20_000);
  };
  const containerdPid = async () =>
    Number(await readFile(join(folder, 'x/containerd/containerd.pid'), 'utf8'));
  const signal = async (name: 'SIGSTOP' | 'SIGCONT') => {
    daemon?.signal(name);
    process.kill(await containerdPid(), name);
  };
  const kill = async () => {
    const containerd = await containerdPid();
    daemon?.signal('SIGKILL');
    await daemon?.exited;
    // The kernel ends it with dockerd. As a zombie it would still look alive to the next dockerd.
    await until(() => isGone(containerd), { what: "the killed dockerd's containerd is gone" });
  };
  const dispose = async () => {
    // What containers run on after a kill can only be removed by their engine.
    if (daemon?.exit() !== undefined) await start().catch((error: unknown) => console.error(error));
    if (daemon?.exit() === undefined) {
      const ids = (await run(['ps', '-aq'])).split('\n').filter((id) => id !== '');
      if (ids.length > 0) await run(['rm', '-f', '-v', ...ids]);
      // Their bridges would stay on this machine.
      await run(['network', 'prune', '-f']);
    }
    await stop();
    await runProcess('ip', ['link', 'delete', bridge]);
    await unmountBelow(folder);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await dispose().catch(() => undefined);
    throw error;
  }
  return { socketPath, run, start, stop, kill, signal, [Symbol.asyncDispose]: dispose };
}

/** A bridge with an address that no other network here has. */
async function makeBridge(): Promise<string> {
  const name = `bt-${randomBytes(4).toString('hex')}`;
  await runProcess('ip', ['link', 'add', 'name', name, 'type', 'bridge']);
  const [second = 0, third = 0] = randomBytes(2);
  await runProcess('ip', ['address', 'add', `10.${128 + (second % 64)}.${third}.1/24`, 'dev', name]);
  await runProcess('ip', ['link', 'set', name, 'up']);
  return name;
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

/** dockerd mounts its data folder onto itself, and a killed one does not unmount it. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const path of mounts.filter((mount) => mount.startsWith(`${folder}/`)).reverse())
    await runProcess('umount', ['-l', path]);
}

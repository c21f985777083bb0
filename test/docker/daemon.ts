// A dockerd of a test's own, beside the one that the bench shares: to be stopped, killed, filled up, or reached over
// TLS. It has no bridge and touches no firewall rules, so its containers have no network.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../bench/cache.ts';
import { ensurePackages } from '../bench/packages.ts';
import { type Running, runProcess, startProcess } from '../bench/processes.ts';
import { until } from '../bench/wait.ts';

export interface Daemon extends AsyncDisposable {
  readonly socketPath: string;
  /** Runs the Docker CLI against it. */
  run(args: readonly string[]): Promise<string>;
  /** Starts it again after `stop` or `kill`, with what it had. */
  start(): Promise<void>;
  /** SIGTERM: in order. Containers that are left running end with it, unless `--live-restore` is given. */
  stop(): Promise<void>;
  /** SIGKILL to it and all that it started. */
  kill(): Promise<void>;
}

/** `dataRoot`: where its images and containers lie; default a folder that goes away with it. */
export async function startDaemon(options: readonly string[] = [], dataRoot?: string): Promise<Daemon> {
  if (process.getuid?.() !== 0) throw new Error("a dockerd of the test's own needs root");
  await ensurePackages('docker.io', 'iptables');
  // In the cache folder, whose path is known to be short enough for containerd's sockets.
  const folder = await mkdtemp(join(cacheFolder(), 'd-'));
  const socketPath = join(folder, 'd.sock');
  const run = (args: readonly string[]) =>
    runProcess('docker', ['-H', `unix://${socketPath}`, ...args], {
      name: ['docker', ...args].join(' '),
      env: { DOCKER_CLI_HINTS: 'false', DOCKER_CONTEXT: '' },
    });
  let daemon: Running | undefined;
  const start = async () => {
    await rm(join(folder, 'pid'), { force: true });
    daemon = await startProcess(
      'setpriv',
      [
        ...['--pdeathsig', 'TERM', 'dockerd'],
        ...['--host', `unix://${socketPath}`],
        ...['--data-root', dataRoot ?? join(folder, 'data')],
        ...['--exec-root', join(folder, 'x')],
        ...['--pidfile', join(folder, 'pid')],
        ...['--bridge', 'none', '--iptables=false', '--ip-forward=false'],
        ...['--shutdown-timeout', '2', '--log-level', 'warn'],
        ...options,
      ],
      { name: 'dockerd' },
    );
    const started = daemon;
    await until(
      async () => {
        if (started.exit() !== undefined) throw new Error(`dockerd ended: ${started.output().slice(-2000)}`);
        await run(['version', '--format', '{{.Server.Version}}']);
        return true;
      },
      { what: 'a Docker Engine of the test answers', deadlineMs: 30_000, everyMs: 100 },
    );
  };
  const stop = async () => {
    await daemon?.stop(20_000);
  };
  const kill = async () => {
    await daemon?.killAll();
  };
  const dispose = async () => {
    if (daemon === undefined) return rm(folder, { recursive: true, force: true });
    // What containers run on after a kill can only be removed by their engine.
    if (daemon.exit() !== undefined) await start().catch(() => undefined);
    if (daemon.exit() === undefined) {
      const ids = (await run(['ps', '-aq'])).split('\n').filter((id) => id !== '');
      if (ids.length > 0) await run(['rm', '-f', '-v', ...ids]);
    }
    await stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await start();
  } catch (error) {
    await dispose().catch(() => undefined);
    throw error;
  }
  return { socketPath, run, start, stop, kill, [Symbol.asyncDispose]: dispose };
}

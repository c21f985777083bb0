// A real Redis (Debian's package) on loopback, in memory.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from './packages.ts';
import { type Running, runProcess, startProcess } from './processes.ts';
import { freePort, until } from './wait.ts';

export interface RedisOptions {
  /** Password of the default user; default none. */
  readonly password?: string;
  /** Serve TLS only, and ask for a client certificate. PEM files. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Further words of the command. */
  readonly args?: readonly string[];
}

export interface Redis extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly process: Running;
  /** Runs one command by redis-cli and gives what it wrote. */
  cli(...command: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

export async function startRedis({ password, tls, args = [] }: RedisOptions = {}): Promise<Redis> {
  await ensurePackages('redis-server', 'redis-tools');
  const folder = await mkdtemp(join(tmpdir(), 'berth-redis-'));
  const port = await freePort();
  const ports =
    tls === undefined
      ? ['--port', String(port)]
      : [
          ...['--port', '0', '--tls-port', String(port), '--tls-ca-cert-file', tls.ca],
          ...['--tls-cert-file', tls.cert, '--tls-key-file', tls.key],
        ];
  const words = [
    ...ports,
    ...['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no', '--daemonize', 'no'],
    ...(password === undefined ? [] : ['--requirepass', password]),
    ...args,
  ];
  const process = await startProcess('redis-server', words);
  const stop = async () => {
    await process.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const tlsWords =
    tls === undefined ? [] : ['--tls', '--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key];
  const cli = (...command: readonly string[]) =>
    runProcess('redis-cli', ['-h', '127.0.0.1', '-p', String(port), ...tlsWords, ...command], {
      env: password === undefined ? {} : { REDISCLI_AUTH: password },
      deadlineMs: 10_000,
    });
  await until(async () => (await cli('ping')).startsWith('PONG'), {
    what: 'Redis answers',
    everyMs: 50,
  }).catch(async (error: unknown) => {
    await stop();
    throw new Error(`Redis does not start; it wrote:\n${process.output()}`, { cause: error });
  });
  const scheme = tls === undefined ? 'redis' : 'rediss';
  return {
    port,
    url: `${scheme}://127.0.0.1:${port}/0`,
    process,
    cli,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

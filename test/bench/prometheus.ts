// A real Prometheus (Debian's package) on loopback, with a data folder of its own.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from './packages.ts';
import { type Running, startProcess } from './processes.ts';
import { freePort, until } from './wait.ts';

export interface PrometheusOptions {
  /** `prometheus.yml`; default an empty one. */
  readonly config?: string;
  /** Further words of the command, e.g. `--web.enable-remote-write-receiver`. */
  readonly args?: readonly string[];
  /** Ask for the user `reader` and the password `reader-password`. Default false. */
  readonly auth?: boolean;
}

export interface Prometheus extends AsyncDisposable {
  readonly url: string;
  readonly process: Running;
  stop(): Promise<void>;
}

export const prometheusUser = { username: 'reader', password: 'reader-password' };
/** bcrypt of that password, at its least cost. */
const passwordHash = '$2b$04$sQyxKJ0Wxp9qPVM.8LUNre6hxPIx9QsSzCd7ECiiBL4L65wxss4RS';

export async function startPrometheus(options: PrometheusOptions = {}): Promise<Prometheus> {
  const { config = '', args = [], auth = false } = options;
  await ensurePackages('prometheus');
  const folder = await mkdtemp(join(tmpdir(), 'berth-prometheus-'));
  const [configFile, webFile] = [join(folder, 'prometheus.yml'), join(folder, 'web.yml')];
  await writeFile(configFile, config);
  await writeFile(webFile, auth ? `basic_auth_users:\n  ${prometheusUser.username}: ${passwordHash}\n` : '');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const words = [
    `--config.file=${configFile}`,
    `--web.config.file=${webFile}`,
    `--web.listen-address=127.0.0.1:${port}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    '--log.level=warn',
    ...args,
  ];
  const process = await startProcess('prometheus', words, { env: { GOMAXPROCS: '1' } });
  const stop = async () => {
    await process.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const { username, password } = prometheusUser;
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  await until(
    async () => {
      if (process.exit() !== undefined) return true;
      return (await fetch(`${url}/-/ready`, { headers: auth ? { authorization } : {} })).ok;
    },
    { what: 'Prometheus is ready', deadlineMs: 30_000 },
  ).catch(async (error: unknown) => {
    await stop();
    throw new Error(`Prometheus does not start; it wrote:\n${process.output()}`, { cause: error });
  });
  if (process.exit() !== undefined) throw new Error(`Prometheus ended:\n${process.output()}`);
  return { url, process, stop, [Symbol.asyncDispose]: stop };
}

// A real MariaDB (Debian's package) on loopback, with a data folder of its own and the database `berth`, which belongs
// to the user `berth`.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from './packages.ts';
import { type Running, runProcess, signalTree, startProcess } from './processes.ts';
import { freePort, until } from './wait.ts';

export interface Mariadb extends AsyncDisposable {
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly database: string;
  /** `mysql://127.0.0.1:port/berth`, without credentials. */
  readonly url: string;
  /** The same with credentials, as `BERTH_DATABASE` takes it. */
  readonly urlWithPassword: string;
  readonly process: Running;
  /** Runs statements as root in the database, and gives what they wrote, tab-separated. */
  sql(statements: string): Promise<string>;
  /** Ends it; the data stay for `start`. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** It hangs, all its processes stopped, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Starts it again after `kill`, on the same port. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const [username, password, database] = ['berth', 'berth-password', 'berth'];

export async function startMariadb({ args = [] }: { args?: readonly string[] } = {}): Promise<Mariadb> {
  await ensurePackages('mariadb-server', 'mariadb-client');
  const folder = await mkdtemp(join(tmpdir(), 'berth-mariadb-'));
  const [data, socket] = [join(folder, 'data'), join(folder, 'mariadb.sock')];
  const port = await freePort();
  const user = process.getuid?.() === 0 ? ['--user=root'] : [];
  const small = [
    '--innodb-buffer-pool-size=16M',
    '--innodb-log-file-size=4M',
    '--aria-pagecache-buffer-size=1M',
  ];
  // The data are a test's: a power cut may have them.
  const quick = [
    '--innodb-flush-log-at-trx-commit=0',
    '--skip-innodb-doublewrite',
    '--performance-schema=OFF',
  ];
  const words = [
    '--no-defaults',
    ...user,
    ...[`--datadir=${data}`, `--socket=${socket}`, `--port=${port}`, '--bind-address=127.0.0.1'],
    ...[`--pid-file=${join(folder, 'mariadb.pid')}`, '--skip-name-resolve', '--max-connections=100'],
    ...small,
    ...quick,
    ...args,
  ];
  let running: Running | undefined;
  const required = (): Running => {
    if (running === undefined) throw new Error('MariaDB is not running');
    return running;
  };
  const client = (statements: string, ...more: string[]) =>
    runProcess(
      'mariadb',
      ['--no-defaults', `--socket=${socket}`, '--user=root', '-N', '-B', ...more, '-e', statements],
      {
        name: 'mariadb',
        deadlineMs: 30_000,
      },
    );
  const start = async () => {
    running = await startProcess('mariadbd', words, { name: 'mariadbd' });
    const { exit, output } = running;
    await until(async () => exit() !== undefined || (await client('SELECT 1')) !== '', {
      what: 'MariaDB answers',
      deadlineMs: 30_000,
      everyMs: 100,
    }).catch((error: unknown) => {
      throw new Error(`MariaDB does not start; it wrote:\n${output()}`, { cause: error });
    });
    if (exit() !== undefined) throw new Error(`MariaDB ended:\n${output()}`);
  };
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    const ending = required();
    running = undefined;
    ending.signal(signal);
    await ending.exited;
  };
  const stop = async () => {
    await running?.stop(15_000);
    running = undefined;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const install = [
      '--no-defaults',
      ...user,
      `--datadir=${data}`,
      '--auth-root-authentication-method=normal',
    ];
    await runProcess('mariadb-install-db', [...install, '--skip-test-db', ...small], {
      name: 'mariadb-install-db',
    });
    await start();
    await client(
      `CREATE DATABASE ${database};
       CREATE USER ${username}@'127.0.0.1' IDENTIFIED BY '${password}';
       GRANT ALL ON ${database}.* TO ${username}@'127.0.0.1';`,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    username,
    password,
    database,
    url: `mysql://127.0.0.1:${port}/${database}`,
    urlWithPassword: `mysql://${username}:${password}@127.0.0.1:${port}/${database}`,
    get process() {
      return required();
    },
    sql: (statements) => client(statements, database),
    kill,
    freeze: () => signalTree(required().pid, 'SIGSTOP'),
    thaw: () => signalTree(required().pid, 'SIGCONT'),
    start,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

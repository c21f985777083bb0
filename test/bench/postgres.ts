// A real PostgreSQL (Debian's package) on loopback, with a data folder of its own and the database `berth`, which
// belongs to the user `berth`. PostgreSQL refuses to run as root: as root its commands run as the user `postgres`.
import { chmod, chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from './packages.ts';
import { type Running, runProcess, signalTree, startProcess } from './processes.ts';
import { freePort, until } from './wait.ts';

export interface Postgres extends AsyncDisposable {
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly database: string;
  /** `postgres://127.0.0.1:port/berth`, without credentials. */
  readonly url: string;
  /** The same with credentials, as `BERTH_DATABASE` takes it. */
  readonly urlWithPassword: string;
  readonly process: Running;
  /** Runs statements as the superuser in the database, and gives what they wrote, one row a line. */
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

const [username, password, database, superuser] = ['berth', 'berth-password', 'berth', 'postgres'];

export async function startPostgres({ args = [] }: { args?: readonly string[] } = {}): Promise<Postgres> {
  await ensurePackages('postgresql');
  const folder = await mkdtemp(join(tmpdir(), 'berth-postgres-'));
  const [bin, as] = [await newestBin(), await runAs(folder)];
  const data = join(folder, 'data');
  const port = await freePort();
  const command = (name: string, ...words: string[]): [string, string[]] => {
    const [first = '', ...rest] = [...as, join(bin, name), ...words];
    return [first, rest];
  };
  let running: Running | undefined;
  const required = (): Running => {
    if (running === undefined) throw new Error('PostgreSQL is not running');
    return running;
  };
  const client = (statements: string, inDatabase: string) => {
    const words = [
      '-h',
      folder,
      '-p',
      String(port),
      '-U',
      superuser,
      '-d',
      inDatabase,
      '-qtA',
      '-v',
      'ON_ERROR_STOP=1',
    ];
    return runProcess(...command('psql', ...words, '-c', statements), { name: 'psql', deadlineMs: 30_000 });
  };
  const start = async () => {
    const settings = {
      port: String(port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: folder,
      max_connections: '50',
      shared_buffers: '16MB',
      // The data are a test's: a power cut may have them.
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
    };
    const set = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    running = await startProcess(...command('postgres', '-D', data, ...set, ...args), { name: 'postgres' });
    const { exit, output } = running;
    await until(async () => exit() !== undefined || (await client('SELECT 1', 'postgres')) !== '', {
      what: 'PostgreSQL answers',
      deadlineMs: 30_000,
      everyMs: 100,
    }).catch((error: unknown) => {
      throw new Error(`PostgreSQL does not start; it wrote:\n${output()}`, { cause: error });
    });
    if (exit() !== undefined) throw new Error(`PostgreSQL ended:\n${output()}`);
  };
  const kill = async (signal: NodeJS.Signals = 'SIGQUIT') => {
    const ending = required();
    running = undefined;
    ending.signal(signal);
    await ending.exited;
  };
  const stop = async () => {
    // SIGQUIT: at once. SIGTERM would wait for every client.
    if (running !== undefined) await kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const hba = ['--auth-local=trust', '--auth-host=scram-sha-256'];
    const words = ['-D', data, '-U', superuser, ...hba, '--no-sync', '--no-instructions', '-E', 'UTF8'];
    await runProcess(...command('initdb', ...words), { name: 'initdb' });
    await start();
    await client(`CREATE USER ${username} PASSWORD '${password}'`, 'postgres');
    await client(`CREATE DATABASE ${database} OWNER ${username}`, 'postgres');
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    username,
    password,
    database,
    url: `postgres://127.0.0.1:${port}/${database}`,
    urlWithPassword: `postgres://${username}:${password}@127.0.0.1:${port}/${database}`,
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

/** The commands of the newest version that is installed. */
async function newestBin(): Promise<string> {
  const versions = (await readdir('/usr/lib/postgresql')).map(Number).filter(Number.isFinite);
  return `/usr/lib/postgresql/${Math.max(...versions)}/bin`;
}

/** What stands before each command, so that it does not run as root; the folder becomes that user's. */
async function runAs(folder: string): Promise<readonly string[]> {
  if (process.getuid?.() !== 0) return [];
  const id = async (what: string) => Number(await runProcess('id', [what, 'postgres']));
  await chown(folder, await id('-u'), await id('-g'));
  await chmod(folder, 0o755);
  return ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', '--'];
}

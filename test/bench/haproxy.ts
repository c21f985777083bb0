// A real HAProxy as a child process, with the life that a test gives it: start, reload, restart, kill.
//
// It counts as started once `show info` answers on the unix socket, as reloaded once it answers from another process,
// and as gone once the process has ended. In master-worker mode the master must list that worker as well: a SIGUSR2 that
// comes while a master still sets itself up is lost.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HaproxyPaths, type TemplateOptions, templateConfig } from './haproxy-config.ts';
import { type HaproxyVersion, haproxyCommand } from './haproxy-root.ts';
import { type Exit, type Running, startProcess } from './processes.ts';
import { freePort, until } from './wait.ts';

export { templateConfig } from './haproxy-config.ts';
export { type HaproxyVersion, haproxyVersions } from './haproxy-root.ts';

export interface HaproxyOptions {
  /** Default `3.0`. */
  readonly version?: HaproxyVersion;
  /** The configuration, or the options of the usual template. */
  readonly config?: ((paths: HaproxyPaths) => string) | TemplateOptions;
  /** `-W`: needed for `reload`. Default false. */
  readonly masterWorker?: boolean;
  /** Address that it binds; default 127.0.0.1. The gateway of a Docker network lets containers reach it. */
  readonly address?: string;
  /** Environment variables that the configuration uses. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface Haproxy extends AsyncDisposable, HaproxyPaths {
  readonly version: HaproxyVersion;
  readonly configPath: string;
  /** The process that was started: the master with `masterWorker`. Changes with each start. */
  readonly pid: number;
  /** `http://address:port` of a backend's frontend; default the first one. */
  url(backend?: string): string;
  /** One line of the Runtime API over the unix socket, and the whole answer. */
  cli(line: string): Promise<string>;
  /** SIGUSR2 to the master; resolves when the new worker answers. */
  reload(): Promise<void>;
  /** Stops it if it runs, and starts it. */
  restart(): Promise<void>;
  /** Starts it after `stop` or `kill`, on the same ports. */
  start(): Promise<void>;
  /** SIGTERM: at once, sessions are cut. */
  stop(): Promise<void>;
  /** Sends a signal and waits for the end. Default SIGKILL, which also takes the workers: without a master they linger. */
  kill(signal?: NodeJS.Signals): Promise<Exit>;
  /** Writes another configuration, for the next reload or start. */
  configure(config: (paths: HaproxyPaths) => string): Promise<void>;
  /** What it wrote to stdout and stderr, over all starts. */
  output(): string;
}

const httpPorts = 16;

/** Starts HAProxy; ends with `stop`, with `await using`, or with the test process. */
export async function startHaproxy(options: HaproxyOptions = {}): Promise<Haproxy> {
  const { version = '3.0', config = {}, masterWorker = false, address = '127.0.0.1', env = {} } = options;
  const command = await haproxyCommand(version);
  const paths = await choosePaths(address);
  const configPath = join(paths.folder, 'haproxy.cfg');
  const configure = (text: (paths: HaproxyPaths) => string) => writeFile(configPath, text(paths));
  const past: string[] = [];
  let running: Running | undefined;

  const required = (): Running => {
    if (running === undefined) throw new Error(`HAProxy ${version} is not running`);
    return running;
  };
  const cli = (line: string) => askRuntimeApi(paths.socket, line);
  const masterSocket = join(paths.folder, 'master.sock');
  /** Resolves when a worker answers that is not `before`, and its master is ready for signals. */
  const answering = async (process: Running, before?: string) => {
    const what = `HAProxy ${version} answers${before === undefined ? '' : ` from a new worker than ${before}`}`;
    const answered = until(
      async () => {
        if (process.exit() !== undefined) return true;
        const pid = pidOf(await cli('show info'));
        if (pid === before) return false;
        return !masterWorker || (await askRuntimeApi(masterSocket, 'show proc')).includes(`\n${pid} `);
      },
      { what, deadlineMs: 15_000, everyMs: 5 },
    );
    await answered.catch((error: unknown) => {
      throw new Error(`HAProxy ${version} does not answer; it wrote:\n${process.output()}`, { cause: error });
    });
    if (process.exit() !== undefined) throw new Error(`HAProxy ${version} ended:\n${process.output()}`);
  };
  const start = async () => {
    if (running !== undefined) throw new Error(`HAProxy ${version} runs already`);
    const mode = masterWorker ? ['-W', '-S', masterSocket] : ['-db'];
    running = await startProcess(command, [...mode, '-f', configPath], { env, name: `haproxy ${version}` });
    await answering(running).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
  };
  const ended = async (end: (process: Running) => Promise<Exit>) => {
    const process = required();
    const exit = await end(process);
    past.push(process.output());
    running = undefined;
    return exit;
  };
  const kill = (signal: NodeJS.Signals = 'SIGKILL') =>
    ended(async (process) => {
      if (signal === 'SIGKILL') return process.killAll();
      process.signal(signal);
      return process.exited;
    });
  const stop = async () => {
    if (running !== undefined) await ended((process) => process.stop());
  };

  await configure(typeof config === 'function' ? config : templateConfig(config));
  const remove = () => rm(paths.folder, { recursive: true, force: true });
  await start().catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  return {
    ...paths,
    version,
    configPath,
    get pid() {
      return required().pid;
    },
    url: (backend) => `http://${address}:${paths.httpPort(backend ?? paths.firstFrontend())}`,
    cli,
    reload: async () => {
      if (!masterWorker) throw new Error('reload needs masterWorker: true');
      const before = pidOf(await cli('show info'));
      required().signal('SIGUSR2');
      await answering(required(), before);
    },
    restart: async () => {
      await stop();
      await start();
    },
    start,
    stop,
    kill,
    configure,
    output: () => [...past, running?.output() ?? ''].join(''),
    [Symbol.asyncDispose]: async () => {
      await stop();
      await remove();
    },
  };
}

/** Sends one line to the Runtime API and reads until it closes. */
export function askRuntimeApi(socket: string, line: string, deadlineMs = 5000): Promise<string> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(socket);
    let answer = '';
    connection.setEncoding('utf8');
    connection.setTimeout(deadlineMs, () => connection.destroy(new Error(`no answer to: ${line}`)));
    connection.on('data', (chunk: string) => {
      answer += chunk;
    });
    connection.once('error', reject);
    connection.once('close', () => resolve(answer.trimEnd()));
    connection.end(`${line}\n`);
  });
}

async function choosePaths(address: string): Promise<HaproxyPaths & { firstFrontend: () => string }> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-haproxy-'));
  const cliPort = await freePort(address);
  // A configuration is written synchronously, so ports that it may ask for are chosen before.
  const spare = await Promise.all(Array.from({ length: httpPorts }, () => freePort(address)));
  const taken = new Map<string, number>();
  return {
    folder,
    socket: join(folder, 'admin.sock'),
    cliPort,
    address,
    httpPort: (name) => {
      const port = taken.get(name) ?? spare.pop();
      if (port === undefined) throw new Error(`more than ${httpPorts} frontends in one HAProxy`);
      taken.set(name, port);
      return port;
    },
    firstFrontend: () => {
      const [first] = taken.keys();
      if (first === undefined) throw new Error('this configuration asked for no frontend port');
      return first;
    },
  };
}

function pidOf(info: string): string {
  const pid = /^Pid: (\d+)$/m.exec(info)?.[1];
  if (pid === undefined) throw new Error(`no Pid in the answer to show info: ${info.slice(0, 200)}`);
  return pid;
}

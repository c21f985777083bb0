// A real RabbitMQ (Debian's package) with its management plugin, on loopback, with data, ports and a port mapper (epmd)
// of its own. The mapper is started first, as a child of this process: the one that Erlang starts by itself would stay.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from './packages.ts';
import { type Running, startProcess } from './processes.ts';
import { freePort, until } from './wait.ts';

export interface Rabbitmq extends AsyncDisposable {
  /** Of the management API. */
  readonly url: string;
  readonly amqpPort: number;
  readonly amqpUrl: string;
  readonly username: string;
  readonly password: string;
  readonly process: Running;
  /** One request to the management API, e.g. `api('PUT', '/api/queues/%2F/jobs', {})`; rejects unless it is 2xx. */
  api(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Ends it; the data stay for `start`. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again after `kill`, on the same ports. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const [username, password] = ['berth', 'berth-password'];

const settings = (amqpPort: number, httpPort: number) => `
listeners.tcp.1 = 127.0.0.1:${amqpPort}
management.tcp.ip = 127.0.0.1
management.tcp.port = ${httpPort}
default_user = ${username}
default_pass = ${password}
collect_statistics_interval = 500
log.file = false
log.console = true
log.console.level = warning
vm_memory_high_watermark.absolute = 256MB
disk_free_limit.absolute = 1MB
`;

export async function startRabbitmq(): Promise<Rabbitmq> {
  await ensurePackages('rabbitmq-server');
  const folder = await mkdtemp(join(tmpdir(), 'berth-rabbitmq-'));
  const amqpPort = await freePort();
  const httpPort = await freePort();
  const mapperPort = String(await freePort());
  const config = join(folder, 'rabbitmq.conf');
  const plugins = join(folder, 'enabled_plugins');
  await writeFile(config, settings(amqpPort, httpPort));
  await writeFile(plugins, '[rabbitmq_management].\n');
  await writeFile(join(folder, 'no-env'), '');
  const env = {
    HOME: folder,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: mapperPort,
    RABBITMQ_NODENAME: `berth-${httpPort}@localhost`,
    RABBITMQ_DIST_PORT: String(await freePort()),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'no-env'),
    RABBITMQ_CONFIG_FILE: config,
    RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
    // One scheduler, small buffers, and the distribution on loopback only.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '+S 1:1 +A 4 +MBas ageffcbf -kernel inet_dist_use_interface {127,0,0,1}',
    // The script then becomes Erlang, instead of waiting for it as a child.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
  const url = `http://127.0.0.1:${httpPort}`;
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const api = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  const mapper = await startProcess('epmd', ['-address', '127.0.0.1', '-port', mapperPort], { name: 'epmd' });
  let running: Running | undefined;
  const start = async () => {
    running = await startProcess(await serverScript(), [], { env, name: 'rabbitmq' });
    const { exit, output } = running;
    await until(async () => exit() !== undefined || (await api('GET', '/api/overview')), {
      what: 'RabbitMQ answers',
      deadlineMs: 120_000,
      everyMs: 100,
    }).catch((error: unknown) => {
      throw new Error(`RabbitMQ does not start; it wrote:\n${output()}`, { cause: error });
    });
    if (exit() !== undefined) throw new Error(`RabbitMQ ended:\n${output()}`);
  };
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    const ending = running;
    running = undefined;
    ending?.signal(signal);
    await ending?.exited;
  };
  const stop = async () => {
    // Orderly it takes seconds, and nobody needs the data.
    await kill();
    await mapper.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  await start().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    url,
    amqpPort,
    amqpUrl: `amqp://${username}:${password}@127.0.0.1:${amqpPort}`,
    username,
    password,
    get process() {
      if (running === undefined) throw new Error('RabbitMQ is not running');
      return running;
    },
    api,
    kill,
    start,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The script itself: Debian's wrapper of the same name changes the user and the folder. */
async function serverScript(): Promise<string> {
  const lib = '/usr/lib/rabbitmq/lib';
  const version = (await readdir(lib)).find((name) => name.startsWith('rabbitmq_server-'));
  if (version === undefined) throw new Error(`no RabbitMQ in ${lib}`);
  return join(lib, version, 'sbin/rabbitmq-server');
}

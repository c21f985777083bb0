// A real Docker Engine for tests. What a test makes through it carries the test's label and is removed by `stop`.
import { type DockerEndpoint, findDocker } from './docker-endpoint.ts';
import { removeLabelled, removeOrphans, testLabel } from './docker-label.ts';
import { runProcess } from './processes.ts';
import { until } from './wait.ts';

export interface ContainerOptions {
  readonly image: string;
  /** A network made with `network`; default the engine's bridge. */
  readonly network?: string;
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Further words of `docker run`, before the image. */
  readonly options?: readonly string[];
  /** The command and its arguments. */
  readonly command?: readonly string[];
}

export interface Container {
  readonly id: string;
  readonly name: string;
  /** Its address now; it may get another one with each start. */
  address(): Promise<string>;
  logs(): Promise<string>;
  exec(...command: readonly string[]): Promise<string>;
  /** `running`, `paused`, `exited`, … */
  status(): Promise<string>;
  exitCode(): Promise<number>;
  /** Resolves with the exit code once it has ended. */
  ended(deadlineMs?: number): Promise<number>;
  remove(): Promise<void>;
}

export interface Network {
  readonly name: string;
  /** The machine's address in it: what listens there can be reached by the containers. */
  readonly gateway: string;
  /** `172.18.0.0/16` */
  readonly subnet: string;
}

export interface DockerEngine extends AsyncDisposable, DockerEndpoint {
  readonly socketPath: string;
  /** `['--label', 'berth.test=…']`, for one's own `docker run`, `network create`, `volume create`. */
  readonly label: readonly string[];
  /** Runs the Docker CLI against this engine and returns what it wrote; rejects when it fails. */
  run(args: readonly string[], deadlineMs?: number): Promise<string>;
  /** Makes a bridge network of this test's own. */
  network(name: string): Promise<Network>;
  /** `docker run -d` */
  start(options: ContainerOptions): Promise<Container>;
  /** Removes everything that this process made in the engine. */
  stop(): Promise<void>;
}

/** The engine that this run uses; see docker-endpoint.ts for which one. */
export async function dockerEngine(): Promise<DockerEngine> {
  const endpoint = await findDocker();
  const { host } = endpoint;
  const run = (args: readonly string[], deadlineMs = 60_000) =>
    runProcess('docker', ['-H', host, ...args], {
      deadlineMs,
      // A container's own stderr comes as stderr.
      withErrors: args[0] === 'logs',
      name: ['docker', ...args].join(' '),
      env: { DOCKER_CLI_HINTS: 'false', DOCKER_CONTEXT: '' },
    });
  const ask = async (...args: readonly string[]) => (await run(args)).trim();
  const label = ['--label', testLabel];
  const stop = () => removeLabelled(host, (pid) => pid === process.pid);
  await removeOrphans(host);
  return {
    ...endpoint,
    socketPath: host.replace('unix://', ''),
    label,
    run,
    network: async (name) => {
      await run(['network', 'create', ...label, name]);
      const format = '{{(index .IPAM.Config 0).Gateway}} {{(index .IPAM.Config 0).Subnet}}';
      const [gateway = '', subnet = ''] = (await ask('network', 'inspect', '-f', format, name)).split(' ');
      return { name, gateway, subnet };
    },
    start: async ({ image, network, name, env = {}, labels = {}, options = [], command = [] }) => {
      const id = await ask(
        ...['run', '-d', ...label],
        ...(network === undefined ? [] : ['--network', network]),
        ...(name === undefined ? [] : ['--name', name]),
        ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
        ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
        ...options,
        image,
        ...command,
      );
      return containerOf(id, name ?? id.slice(0, 12), ask);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function containerOf(
  id: string,
  name: string,
  ask: (...args: readonly string[]) => Promise<string>,
): Container {
  const inspect = (format: string) => ask('inspect', '-f', format, id);
  const exitCode = async () => Number(await inspect('{{.State.ExitCode}}'));
  const status = () => inspect('{{.State.Status}}');
  return {
    id,
    name,
    address: async () => {
      const address = await inspect('{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}');
      if (address !== '') return address;
      throw new Error(`${name} has no address: it is ${await status()} and wrote:\n${await ask('logs', id)}`);
    },
    logs: () => ask('logs', id),
    exec: (...command) => ask('exec', id, ...command),
    status,
    exitCode,
    ended: async (deadlineMs = 30_000) => {
      await until(async () => (await status()) === 'exited', {
        what: `${name} has ended`,
        deadlineMs,
        everyMs: 100,
      });
      return exitCode();
    },
    remove: async () => {
      await ask('rm', '-f', '-v', id);
    },
  };
}

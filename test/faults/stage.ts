// What faults are done to: one or several real HAProxys on a Docker network's gateway, `berth serve` as a process, and
// app containers that run the agent. `whole` waits until the invariant of row 78 holds, as HAProxy and Docker see it.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DockerEngine, dockerEngine, type Network } from '../bench/docker.ts';
import { type Haproxy, type HaproxyVersion, startHaproxy } from '../bench/haproxy.ts';
import { baseImage, ensureBaseImage } from '../bench/images.ts';
import { until } from '../bench/wait.ts';
import { Coordinator } from './coordinator.ts';
import { lookAtContainers } from './engine-api.ts';
import { Instance } from './instance.ts';
import { type RunningApp, violations } from './invariant.ts';
import { copyPrograms } from './programs.ts';
import { readRows } from './slot-rows.ts';

export interface StageOptions {
  /** Default 3.2. */
  version?: HaproxyVersion;
  /** Default 1. */
  haproxys?: number;
  /** `-W`, for reloads. */
  masterWorker?: boolean;
  /** Default 10. */
  slots?: number;
  /** Names; default `app` alone. */
  backends?: readonly string[];
  /** Default true. */
  coordinator?: boolean;
  /** HAProxy reads a state file at its start. */
  stateFile?: boolean;
  /** How HAProxy checks; default by HTTP, as in examples/haproxy/production.cfg: a frozen app still accepts TCP. */
  check?: 'http' | 'tcp';
  /** Whether HAProxy tries a request again elsewhere when a connection fails; default true, as in production.cfg. */
  retries?: boolean;
  /** Of the checks; default `500ms`. */
  inter?: string;
}

export interface InstanceOptions {
  /** Default `app`. */
  backend?: string;
  env?: Readonly<Record<string, string>>;
  ip?: string;
  /** Further words of `docker run`. */
  options?: readonly string[];
  /** A file of the stage's folder; default `app.mjs`. */
  app?: keyof typeof interpreters;
}

export interface WholeOptions {
  withinMs?: number;
  /** Those that rightly have no ready slot: not ready, or there was none left for them. */
  without?: readonly Instance[];
  /** Default: whether the coordinator is away. */
  deadStayDown?: boolean;
}

const appPort = 8080;
const interpreters = { 'app.mjs': 'node', 'odd-app.mjs': 'node', 'quick-app.pl': 'perl' } as const;
const backendLabel = 'berth.faults.backend';
let stages = 0;

export class Stage implements AsyncDisposable {
  readonly engine: DockerEngine;
  readonly network: Network;
  readonly haproxys: readonly Haproxy[];
  readonly haproxy: Haproxy;
  readonly coordinator: Coordinator;
  readonly #folder: string;
  readonly #options: StageOptions;
  readonly #token: string;
  readonly #label: string;
  readonly #instances = new Map<string, { instance: Instance; backend: string }>();

  private constructor(
    parts: Pick<Stage, 'engine' | 'network' | 'haproxys' | 'haproxy' | 'coordinator'>,
    own: {
      folder: string;
      options: StageOptions;
      token: string;
      label: string;
    },
  ) {
    this.engine = parts.engine;
    this.network = parts.network;
    this.haproxys = parts.haproxys;
    this.haproxy = parts.haproxy;
    this.coordinator = parts.coordinator;
    this.#folder = own.folder;
    this.#options = own.options;
    this.#token = own.token;
    this.#label = own.label;
  }

  static async set(options: StageOptions = {}): Promise<Stage> {
    stages += 1;
    const name = `berth-faults-${process.pid}-${stages}`;
    const folder = await mkdtemp(join(tmpdir(), 'berth-faults-'));
    await copyPrograms(join(folder, 'mount'));
    const engine = await dockerEngine();
    await ensureBaseImage(engine);
    const network = await fixedNetwork(engine, name);
    const { slots = 10, version = '3.2', masterWorker = false, stateFile = false } = options;
    const { backends = ['app'], check = 'http', inter = '500ms', retries = true } = options;
    const count = options.haproxys ?? 1;
    const haproxys = await Promise.all(
      Array.from({ length: count }, () =>
        startHaproxy({
          version,
          masterWorker,
          address: network.gateway,
          config: {
            slots,
            backends: backends.map((backend) => ({
              name: backend,
              lines: check === 'http' ? ['option httpchk GET /healthz'] : [],
            })),
            inter,
            serverOptions: 'fall 2 rise 1 weight 100',
            defaults: [
              ...(retries ? ['option redispatch 1'] : ['no option redispatch', 'retries 0']),
              ...(stateFile ? ['load-server-state-from-file global'] : []),
            ],
            global: stateFile ? [`server-state-file ${join(folder, 'server-state')}`] : [],
          },
        }),
      ),
    );
    const [haproxy] = haproxys;
    if (haproxy === undefined) throw new Error('a stage needs an HAProxy');
    const token = randomBytes(16).toString('hex');
    const coordinator = await Coordinator.prepare({
      address: network.gateway,
      folder,
      program: join(folder, 'mount', 'berth.mjs'),
      token,
      // It does not see Docker: what it knows of the dead, it knows from agents and HAProxy.
      env: {
        HAPROXY_SERVER: serversOf(haproxys),
        NODE_COUNT: String(slots),
        DOCKER_HOST: `unix://${join(folder, 'no-docker.sock')}`,
      },
    });
    const stage = new Stage(
      { engine, network, haproxys, haproxy, coordinator },
      { folder, options, token, label: `berth.faults=${name}` },
    );
    if (options.coordinator ?? true) await coordinator.start();
    return stage;
  }

  /** Writes what HAProxy's slots are now into the file that it reads at its next start. */
  get stateFile(): string {
    return join(this.#folder, 'server-state');
  }

  /** Starts a container; resolves when Docker has started it. */
  async instance(name: string, options: InstanceOptions = {}): Promise<Instance> {
    const { backend = 'app', env = {}, ip, app = 'app.mjs' } = options;
    const { address, port } = { address: this.network.gateway, port: this.coordinator.port };
    const container = await this.engine.start({
      image: baseImage,
      network: this.network.name,
      name: `${this.network.name}-${name}`,
      env: {
        HAPROXY_SERVER: serversOf(this.haproxys),
        HAPROXY_BACKEND: backend,
        NODE_COUNT: String(this.#options.slots ?? 10),
        BERTH_COORDINATOR: `ws://${address}:${port}/agent`,
        BERTH_TOKEN: this.#token,
        BERTH_SERVICE: backend,
        BERTH_READY_INTERVAL: '500ms',
        PORT: String(appPort),
        ...env,
      },
      options: [
        ...['--init', '--hostname', name, '--label', this.#label, '--label', `${backendLabel}=${backend}`],
        ...['-v', `${join(this.#folder, 'mount')}:/berth:ro`],
        ...(ip === undefined ? [] : ['--ip', ip]),
        ...(options.options ?? []),
      ],
      command: ['node', '/berth/agent.cjs', '--', interpreters[app], `/berth/${app}`],
    });
    const instance = new Instance(name, container, this.engine, this.network);
    this.#instances.set(container.name, { instance, backend });
    return instance;
  }

  /** `app-1` to `app-N`, and the invariant holds. */
  async instances(count: number, options: InstanceOptions = {}): Promise<Instance[]> {
    const names = Array.from({ length: count }, (_, index) => `${options.backend ?? 'app'}-${index + 1}`);
    const made = await Promise.all(names.map((name) => this.instance(name, options)));
    await this.whole({ withinMs: 30_000 });
    return made;
  }

  /** Removes a container; it is then no part of the stage any more. */
  async remove(instance: Instance): Promise<void> {
    await instance.container.remove();
    this.#instances.delete(instance.container.name);
  }

  /** An address of the network that nobody has had; Docker itself gives low ones. */
  addressAt(number: number): string {
    const [base = '', bits = '24'] = this.network.subnet.split('/');
    if (!isIPv4(base) || Number(bits) > 24) throw new Error(`${this.network.subnet} is too small`);
    return base.replace(/\d+$/, String(200 + number));
  }

  /** Apps whose containers run, and whether they answer. */
  async running(): Promise<RunningApp[]> {
    const looks = await lookAtContainers(this.engine.socketPath, this.#label);
    const up = looks.filter(({ state }) => state === 'running');
    return Promise.all(
      up.map(async ({ name, addresses }) => {
        const at = `${addresses[this.network.name]}:${appPort}`;
        const known = this.#instances.get(name);
        return {
          name: known?.instance.name ?? name,
          backend: known?.backend ?? '',
          at,
          ready: await isWell(at),
        };
      }),
    );
  }

  /** What is not as row 78 wants it, now. */
  async violations({
    without = [],
    deadStayDown = !this.coordinator.isUp,
  }: WholeOptions = {}): Promise<string[]> {
    const isWithout = (app: RunningApp) => without.some(({ name }) => name === app.name);
    const running = await this.running();
    const mute = running.filter((app) => !app.ready && !isWithout(app));
    if (mute.length > 0) return mute.map(({ name }) => `${name} runs and is not ready`);
    const apps = running.map((app) => (isWithout(app) ? { ...app, ready: false } : app));
    const all = await Promise.all(
      this.haproxys.map(async (haproxy) => {
        const found = violations(apps, await readRows(haproxy), { deadStayDown });
        return this.haproxys.length === 1 ? found : found.map((text) => `${haproxy.cliPort}: ${text}`);
      }),
    );
    return all.flat();
  }

  /** Resolves, with the milliseconds it took, when the invariant holds. */
  async whole(options: WholeOptions = {}): Promise<number> {
    const { withinMs = 10_000 } = options;
    const started = performance.now();
    let last: readonly string[] = [];
    const isWhole = async () => {
      last = await this.violations(options);
      return last.length === 0;
    };
    await until(isWhole, { what: 'the invariant holds', deadlineMs: withinMs, everyMs: 40 }).catch(
      async (error: unknown) => {
        const logs = await Promise.all(
          [...this.#instances.values()].map(async ({ instance }) => {
            const text = await instance.container.logs().catch(String);
            return `--- ${instance.name}\n${text.slice(-3000)}`;
          }),
        );
        const parts = [`not whole within ${withinMs} ms:`, ...last, ...logs, '--- coordinator'];
        throw new Error([...parts, this.coordinator.output().slice(-6000)].join('\n'), { cause: error });
      },
    );
    return performance.now() - started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.coordinator.stop();
    await this.engine.stop();
    for (const haproxy of this.haproxys) await haproxy[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function serversOf(haproxys: readonly Haproxy[]): string {
  return haproxys.map(({ address, cliPort }) => `${address}:${cliPort}`).join(',');
}

/** Docker gives addresses of one's choice only in a network whose subnet was chosen: the one it chose itself, then. */
async function fixedNetwork(engine: DockerEngine, name: string): Promise<Network> {
  const free = await engine.network(name);
  await engine.run(['network', 'rm', name]);
  await engine.run([
    ...['network', 'create', ...engine.label, '--subnet', free.subnet, '--gateway', free.gateway, name],
  ]);
  return free;
}

async function isWell(at: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${at}/healthz`, { signal: AbortSignal.timeout(500) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false; // it does not answer
  }
}

// What faults are done to: one or several real HAProxys on a Docker network's gateway, `berth serve` as a process, and
// app containers that run the agent. `whole` waits until the invariant of row 78 holds, as HAProxy and Docker see it.
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import type { DockerEngine, Network } from '../bench/docker.ts';
import type { Haproxy } from '../bench/haproxy.ts';
import { baseImage } from '../bench/images.ts';
import { until } from '../bench/wait.ts';
import { Coordinator } from './coordinator.ts';
import { lookAtContainers } from './engine-api.ts';
import { type Grounds, type GroundsOptions, layGrounds, stateFileIn } from './grounds.ts';
import { Instance } from './instance.ts';
import { type RunningApp, violations } from './invariant.ts';
import { readRows } from './slot-rows.ts';

export interface StageOptions extends GroundsOptions {
  /** Default true. */
  coordinator?: boolean;
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
const dynamicMode = {
  HAPROXY_MODE: 'dynamic',
  HAPROXY_SERVER_PARAMETERS: 'check inter 500ms fall 2 rise 1 weight 100',
};
/** An empty value counts as not set. */
const countOf = (slots: number): string => (slots === 0 ? '' : String(slots));
const interpreters = { 'app.mjs': 'node', 'odd-app.mjs': 'node', 'quick-app.pl': 'perl' } as const;
const backendLabel = 'berth.faults.backend';

export class Stage implements AsyncDisposable {
  readonly engine: DockerEngine;
  readonly network: Network;
  readonly haproxys: readonly Haproxy[];
  readonly haproxy: Haproxy;
  readonly coordinator: Coordinator;
  readonly #grounds: Grounds;
  readonly #token: string;
  readonly #label: string;
  readonly #instances = new Map<string, { instance: Instance; backend: string }>();

  private constructor(grounds: Grounds, coordinator: Coordinator, token: string) {
    this.engine = grounds.engine;
    this.network = grounds.network;
    this.haproxys = grounds.haproxys;
    this.haproxy = grounds.haproxy;
    this.coordinator = coordinator;
    this.#grounds = grounds;
    this.#token = token;
    this.#label = `berth.faults=${grounds.name}`;
  }

  static async set(options: StageOptions = {}): Promise<Stage> {
    const grounds = await layGrounds(options);
    const { folder, network, haproxys, slots } = grounds;
    const token = randomBytes(16).toString('hex');
    const coordinator = await Coordinator.prepare({
      address: network.gateway,
      folder,
      program: join(folder, 'mount', 'berth.mjs'),
      token,
      // It does not see Docker: what it knows of the dead, it knows from agents and HAProxy.
      env: {
        HAPROXY_SERVER: serversOf(haproxys),
        NODE_COUNT: countOf(slots),
        DOCKER_HOST: `unix://${join(folder, 'no-docker.sock')}`,
      },
    });
    if (options.coordinator ?? true) await coordinator.start();
    return new Stage(grounds, coordinator, token);
  }

  /** What HAProxy reads at its next start, if it was set up to. */
  get stateFile(): string {
    return stateFileIn(this.#grounds.folder);
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
        NODE_COUNT: countOf(this.#grounds.slots),
        ...(this.#grounds.slots === 0 ? dynamicMode : {}),
        BERTH_COORDINATOR: `ws://${address}:${port}/agent`,
        BERTH_TOKEN: this.#token,
        BERTH_SERVICE: backend,
        BERTH_READY_INTERVAL: '500ms',
        PORT: String(appPort),
        ...env,
      },
      options: [
        ...['--init', '--hostname', name, '--label', this.#label, '--label', `${backendLabel}=${backend}`],
        ...['-v', `${join(this.#grounds.folder, 'mount')}:/berth:ro`],
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
      async (cause: unknown) => {
        const lines = [`not whole within ${withinMs} ms:`, ...last, ...(await this.#logs())];
        throw new Error(lines.join('\n'), { cause });
      },
    );
    return performance.now() - started;
  }

  /** What everybody wrote last, for the message of a failure. */
  async #logs(): Promise<string[]> {
    const logs = [...this.#instances.values()].map(async ({ instance }) => {
      const text = await instance.container.logs().catch(String);
      return `--- ${instance.name}\n${text.slice(-3000)}`;
    });
    return [...(await Promise.all(logs)), '--- coordinator', this.coordinator.output().slice(-6000)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.coordinator.stop();
    await this.engine.stop();
    for (const haproxy of this.haproxys) await haproxy[Symbol.asyncDispose]();
    await rm(this.#grounds.folder, { recursive: true, force: true });
  }
}

function serversOf(haproxys: readonly Haproxy[]): string {
  return haproxys.map(({ address, cliPort }) => `${address}:${cliPort}`).join(',');
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

// What the acting half is shown on: a real HAProxy on a Docker network's gateway, `berth serve` as a process that acts on
// a real Docker Engine, and a service of labelled containers. Each stage has a service name of its own, so that two
// stages on one engine do not touch each other's containers.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DockerEngine, dockerEngine, type Network } from '../bench/docker.ts';
import { type Haproxy, startHaproxy } from '../bench/haproxy.ts';
import { baseImage, ensureBaseImage } from '../bench/images.ts';
import { until } from '../bench/wait.ts';
import { type ContainerLook, lookAtContainers } from '../faults/engine-api.ts';
import { copyPrograms } from '../faults/programs.ts';
import { readRows } from '../faults/slot-rows.ts';
import { Coordinator } from './coordinator.ts';

export interface StageOptions {
  slots?: number;
  /** Sessions that a slot takes at a time; more wait in the queue. */
  maxconn?: number;
  /** Text of the policy file; the service is called `$SERVICE` in it. */
  policies?: string;
  env?: Readonly<Record<string, string>>;
  /** Engines beside the bench's whose containers are listed as well. */
  further?: readonly Cli[];
}

/** An engine, and the Docker CLI for it. */
export interface Cli {
  readonly socketPath: string;
  run(args: readonly string[]): Promise<string>;
}

export interface AppOptions {
  labels?: Readonly<Record<string, string>>;
  env?: Readonly<Record<string, string>>;
  /** Further words of `docker run`. */
  options?: readonly string[];
  /** Default: the agent with the app. */
  command?: readonly string[];
  service?: string;
  /** The engine that runs it; default the bench's. */
  on?: Cli;
}

export interface ServiceView {
  service: string;
  current: number;
  serving: number;
  wanted: number | null;
  wantedBy: string;
  why: string;
  policy: string | null;
  cloneable: boolean;
  override: { replicas: number; until: string | null; by: string } | null;
  pause: { mode: string; until: string | null; by: string } | null;
  plan: { step: string; instance: string | null; reason: string }[];
  instances: InstanceView[];
}

export interface InstanceView {
  container: string;
  name: string;
  host: string;
  state: string;
  health: string;
  agent: string | null;
  phase: string | null;
  role: 'active' | 'draining' | 'parked' | 'stopped';
  serving: boolean;
  sessions: number | null;
  clone: boolean;
  byOperator: boolean;
}

const appPort = 8080;
let stages = 0;

export class Stage implements AsyncDisposable {
  readonly engine: DockerEngine;
  readonly network: Network;
  readonly haproxy: Haproxy;
  readonly coordinator: Coordinator;
  readonly folder: string;
  readonly service: string;
  readonly policyFile: string;
  readonly #slots: number;
  readonly #engines: readonly Cli[];
  #started = 0;

  private constructor(
    parts: Pick<
      Stage,
      'engine' | 'network' | 'haproxy' | 'coordinator' | 'folder' | 'service' | 'policyFile'
    >,
    slots: number,
    further: readonly Cli[],
  ) {
    this.#engines = [parts.engine, ...further];
    this.engine = parts.engine;
    this.network = parts.network;
    this.haproxy = parts.haproxy;
    this.coordinator = parts.coordinator;
    this.folder = parts.folder;
    this.service = parts.service;
    this.policyFile = parts.policyFile;
    this.#slots = slots;
  }

  static async set(options: StageOptions = {}): Promise<Stage> {
    stages += 1;
    const service = `acts-${process.pid}-${stages}`;
    const folder = await mkdtemp(join(tmpdir(), 'berth-acting-'));
    await copyPrograms(join(folder, 'mount'));
    const engine = await dockerEngine();
    await ensureBaseImage(engine);
    const network = await engine.network(service);
    const { slots = 10, maxconn, policies, further = [] } = options;
    const haproxy = await startHaproxy({
      version: '3.2',
      address: network.gateway,
      config: {
        slots,
        backends: [{ name: 'app', balance: 'leastconn', lines: ['option httpchk GET /healthz'] }],
        inter: '500ms',
        serverOptions: 'fall 2 rise 1 weight 100',
        timeouts: { queue: '20s' },
        ...(maxconn === undefined ? {} : { maxconn }),
      },
    });
    const policyFile = join(folder, 'policies.yaml');
    if (policies !== undefined) await writeFile(policyFile, policies.replaceAll('$SERVICE', service));
    const coordinator = await Coordinator.prepare({
      address: network.gateway,
      folder,
      program: join(folder, 'mount', 'berth.mjs'),
      env: {
        HAPROXY_SERVER: `${haproxy.address}:${haproxy.cliPort}`,
        NODE_COUNT: String(slots),
        DOCKER_HOST: engine.host,
        ...(policies === undefined ? {} : { BERTH_POLICIES: policyFile }),
        ...options.env,
      },
    });
    const parts = { engine, network, haproxy, coordinator, folder, service, policyFile };
    const stage = new Stage(parts, slots, further);
    await coordinator.start();
    return stage;
  }

  /** Starts a container of the service; resolves, with its id, when Docker has started it. */
  async app(options: AppOptions = {}): Promise<string> {
    this.#started += 1;
    const { labels = {}, env = {}, service = this.service, on = this.engine } = options;
    const words = (option: string, of: Readonly<Record<string, string>>) =>
      Object.entries(of).flatMap(([key, value]) => [option, `${key}=${value}`]);
    const id = await on.run([
      ...['run', '-d', ...this.engine.label, '--init', '--name', `${service}-${this.#started}`],
      ...['--network', this.network.name, '-v', `${join(this.folder, 'mount')}:/berth:ro`],
      ...words('--env', { ...this.agentEnv(service), ...env }),
      ...words('--label', { 'berth.service': service, ...labels }),
      ...(options.options ?? []),
      baseImage,
      ...(options.command ?? ['node', '/berth/agent.cjs', '--', 'node', '/berth/app.mjs']),
    ]);
    return id.trim();
  }

  /** Starts `count` containers and waits until they serve. */
  async apps(count: number, options: AppOptions = {}): Promise<string[]> {
    const made = await Promise.all(Array.from({ length: count }, () => this.app(options)));
    await this.serving(count, options.service);
    // From here on more can be made.
    await until(async () => (await this.view(options.service)).cloneable, { what: 'it can be cloned' });
    return made;
  }

  agentEnv(service = this.service): Record<string, string> {
    return {
      HAPROXY_SERVER: `${this.haproxy.address}:${this.haproxy.cliPort}`,
      HAPROXY_BACKEND: 'app',
      NODE_COUNT: String(this.#slots),
      BERTH_COORDINATOR: `ws://${this.network.gateway}:${this.coordinator.port}/agent`,
      BERTH_TOKEN: this.coordinator.token,
      BERTH_SERVICE: service,
      BERTH_READY_INTERVAL: '500ms',
      PORT: String(appPort),
    };
  }

  view(service = this.service): Promise<ServiceView> {
    return this.coordinator.read<ServiceView>(`/api/v1/services/${service}`);
  }

  /** Containers of the service as Docker itself lists them, the stopped ones too, on all engines. */
  async containers(service = this.service, engines = this.#engines): Promise<ContainerLook[]> {
    const label = `berth.service=${service}`;
    return (await Promise.all(engines.map(({ socketPath }) => lookAtContainers(socketPath, label)))).flat();
  }

  /** A container's address on the bench's engine. */
  async addressOf(id: string): Promise<string> {
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    return (await this.engine.run(['inspect', '-f', format, id])).trim();
  }

  /** Slots of HAProxy that take traffic, `address:port`, and what claims have left behind. */
  async readySlots(): Promise<string[]> {
    const { slots, locks } = await readRows(this.haproxy);
    if (locks.length > 0) return locks.map(({ name }) => name);
    return slots.filter(({ state }) => state === 'ready').map(({ at }) => at);
  }

  /** Resolves, with the milliseconds it took, when so many serve, as the coordinator and HAProxy say. */
  async serving(count: number, service = this.service, deadlineMs = 30_000): Promise<number> {
    return this.wait(
      async () => {
        const { serving, current } = await this.view(service);
        return serving === count && current === count;
      },
      `${count} serve`,
      deadlineMs,
      service,
    );
  }

  /**
   * Resolves when the service is settled: so many run and serve, so many more are parked, none that Berth made is left
   * stopped, and HAProxy's ready slots are those that run. `others`: instances of other services that serve there.
   */
  async settled(
    count: number,
    { parked = 0, others = 0, service = this.service, deadlineMs = 30_000 } = {},
  ): Promise<number> {
    let last: unknown;
    return this.wait(
      async () => {
        const [{ serving, plan, instances }, listed, ready] = await Promise.all([
          this.view(service),
          this.containers(service),
          this.readySlots(),
        ]);
        const of = (state: string) => listed.filter((each) => each.state === state).length;
        const steps = plan.filter(({ step }) => step !== 'hold');
        last = { serving, steps, listed: listed.map(({ name, state }) => `${name} ${state}`), ready };
        return (
          serving === count &&
          steps.length === 0 &&
          of('running') === count &&
          of('paused') === parked &&
          listed.length === instances.length &&
          // What is on its way out is still there, whatever Docker lists by now.
          instances.every(({ role, byOperator }) => role !== 'draining' || byOperator) &&
          instances.every(({ role, phase }) => role !== 'active' || phase !== 'stopping') &&
          instances.every(({ role, clone }) => role !== 'stopped' || !clone) &&
          new Set(ready).size === ready.length &&
          ready.length === count + others
        );
      },
      () => `${count} serve, ${parked} are parked; last: ${JSON.stringify(last)}`,
      deadlineMs,
      service,
    );
  }

  /** As `until`, with the milliseconds it took, and with what the service looks like when it fails. */
  async wait(
    condition: () => Promise<unknown>,
    what: string | (() => string),
    deadlineMs = 20_000,
    service = this.service,
  ): Promise<number> {
    const started = performance.now();
    try {
      await until(async () => Boolean(await condition()), { what: 'it is so', deadlineMs, everyMs: 50 });
    } catch (error) {
      const view = await this.view(service).catch(String);
      const text = typeof what === 'string' ? what : what();
      throw new Error(
        [
          `waited ${deadlineMs} ms until ${text}`,
          JSON.stringify(view, undefined, 1),
          this.coordinator.output().slice(-6000),
        ].join('\n'),
        { cause: error },
      );
    }
    return performance.now() - started;
  }

  scale(replicas: number | null, more: { for?: string } = {}, service = this.service): Promise<ServiceView> {
    return this.coordinator.write('POST', `/api/v1/services/${service}/scale`, {
      replicas,
      by: 'test',
      ...more,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.coordinator.stop();
    await this.engine.stop();
    await this.haproxy[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

// The acting half on Docker Engines of the test's own, which can be filled up, restarted and run out of room without
// anybody else noticing: a HAProxy, `berth serve` as a process, and services of tiny containers that have labels only.
// Berth reaches each engine through a proxy's socket, so that a test can step in between two of its requests.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Haproxy, startHaproxy } from '../bench/haproxy.ts';
import { until } from '../bench/wait.ts';
import { type Daemon, startDaemon } from '../docker/daemon.ts';
import { type EngineProxy, startEngineProxy } from '../docker/engine-proxy.ts';
import { ensureTinyImage } from '../docker/tiny-image.ts';
import { copyPrograms } from '../faults/programs.ts';
import { readRows } from '../faults/slot-rows.ts';
import { type AuditItem, Coordinator } from './coordinator.ts';
import type { ServiceView } from './stage.ts';

export interface EngineOptions {
  /** Its name in the configuration. */
  readonly name: string;
  /** Of dockerd. */
  readonly options?: readonly string[];
  readonly dataRoot?: string;
  /** Images of the tiny kind that it has. */
  readonly images: readonly string[];
}

export interface Engine {
  readonly daemon: Daemon;
  readonly proxy: EngineProxy;
}

const webServer = 'busybox httpd -f -p 8080 -h /tmp'.split(' ');

export class OwnEngines implements AsyncDisposable {
  readonly #engines: ReadonlyMap<string, Engine>;
  readonly haproxy: Haproxy;
  readonly coordinator: Coordinator;
  readonly #folder: string;

  private constructor(
    engines: ReadonlyMap<string, Engine>,
    parts: { haproxy: Haproxy; coordinator: Coordinator; folder: string },
  ) {
    this.#engines = engines;
    this.haproxy = parts.haproxy;
    this.coordinator = parts.coordinator;
    this.#folder = parts.folder;
  }

  /** `policies`: the text of a policy file. */
  static async set(
    wanted: readonly EngineOptions[],
    { policies, env = {} }: { policies?: string; env?: Readonly<Record<string, string>> } = {},
  ): Promise<OwnEngines> {
    const engines = new Map<string, Engine>();
    for (const { name, options = [], dataRoot, images } of wanted) {
      const daemon = await startDaemon(options, dataRoot);
      engines.set(name, { daemon, proxy: await startEngineProxy(daemon.socketPath) });
      for (const image of images) await ensureTinyImage(daemon.run, image);
    }
    const folder = await mkdtemp(join(tmpdir(), 'berth-own-'));
    await copyPrograms(join(folder, 'mount'));
    const haproxy = await startHaproxy({ version: '3.2', config: { slots: 20, inter: '500ms' } });
    const policyFile = join(folder, 'policies.yaml');
    if (policies !== undefined) await writeFile(policyFile, policies);
    const hosts = [...engines].map(([name, { proxy }]) => ({ name, host: `unix://${proxy.socketPath}` }));
    const coordinator = await Coordinator.prepare({
      address: '127.0.0.1',
      folder,
      program: join(folder, 'mount', 'berth.mjs'),
      env: {
        HAPROXY_SERVER: `${haproxy.address}:${haproxy.cliPort}`,
        BERTH_DOCKER_HOSTS: JSON.stringify(hosts),
        ...(policies === undefined ? {} : { BERTH_POLICIES: policyFile }),
        ...env,
      },
    });
    await coordinator.start();
    return new OwnEngines(engines, { haproxy, coordinator, folder });
  }

  engine(name: string): Engine {
    const engine = this.#engines.get(name);
    if (engine === undefined) throw new Error(`there is no engine ${name}`);
    return engine;
  }

  /** The first instance of a service, by hand; resolves when it serves and more can be made. */
  async begin(
    service: string,
    engine: string,
    image: string,
    options: readonly string[] = [],
  ): Promise<void> {
    await this.engine(engine).daemon.run([
      ...['run', '-d', '--name', `${service}_1`, '--stop-signal', 'SIGKILL'],
      ...[
        '--label',
        `berth.service=${service}`,
        '--label',
        'berth.backend=app',
        '--label',
        'berth.port=8080',
      ],
      ...[...options, image, ...webServer],
    ]);
    await this.see(service, 'serves and can be cloned', (view) => view.serving === 1 && view.cloneable);
  }

  view(service: string): Promise<ServiceView> {
    return this.coordinator.read<ServiceView>(`/api/v1/services/${service}`);
  }

  async scale(service: string, replicas: number): Promise<void> {
    await this.coordinator.write('POST', `/api/v1/services/${service}/scale`, { replicas, by: 'test' });
  }

  /** Resolves with the view of the service as soon as `condition` holds of it. */
  async see(
    service: string,
    what: string,
    condition: (view: ServiceView) => boolean | Promise<boolean>,
    deadlineMs = 20_000,
  ): Promise<ServiceView> {
    let last: unknown;
    const look = async () => {
      const view = await this.view(service).catch((error: unknown) => {
        last = String(error);
        return undefined;
      });
      if (view === undefined) return undefined;
      last = view;
      return (await condition(view)) ? view : undefined;
    };
    try {
      return await until(look, { what, deadlineMs, everyMs: 50 });
    } catch (error) {
      const text = `${service} ${what}; last: ${JSON.stringify(last, undefined, 1)}`;
      throw new Error(`${text}\n${this.coordinator.output().slice(-5000)}`, { cause: error });
    }
  }

  /** Scales and resolves when so many serve, each in a slot of its own. */
  async reach(service: string, replicas: number, deadlineMs?: number): Promise<ServiceView> {
    await this.scale(service, replicas);
    return this.see(
      service,
      `has ${replicas}`,
      ({ serving, current, plan }) => serving === replicas && current === replicas && plan.length === 0,
      deadlineMs,
    );
  }

  /** Names of the containers of a service, on every engine that answers, whatever their state. */
  async names(service: string): Promise<string[]> {
    const lists = await Promise.all(
      [...this.#engines.values()].map(({ daemon }) =>
        daemon.run(['ps', '-a', '--filter', `label=berth.service=${service}`, '--format', '{{.Names}}']),
      ),
    );
    return lists
      .flatMap((list) => list.split('\n'))
      .filter((name) => name !== '')
      .sort();
  }

  /** Addresses of the slots that take traffic. */
  async readySlots(): Promise<string[]> {
    return (await this.heldSlots()).filter((slot) => slot.endsWith(' ready'));
  }

  /** Slots that hold an address, in traffic or not. */
  async heldSlots(): Promise<string[]> {
    const { slots } = await readRows(this.haproxy);
    return slots.flatMap(({ at, name, state }) => (at.startsWith('127.') ? [] : [`${name} ${at} ${state}`]));
  }

  audit(since: number, service: string, event: string): Promise<AuditItem[]> {
    return this.coordinator.audit(since, { service, event });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.coordinator.stop();
    await this.haproxy[Symbol.asyncDispose]();
    for (const { daemon, proxy } of this.#engines.values()) {
      await proxy[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

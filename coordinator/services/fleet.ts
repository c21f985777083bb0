// The Docker hosts together: one client and one observer each. A host that does not answer is unknown, not empty.
import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { AgentRecord } from '../agents/agent-record.ts';
import { createDockerClient, type DockerClient } from '../targets/docker/client.ts';
import type { DockerEndpoint } from '../targets/docker/endpoint.ts';
import type { Instance } from '../targets/docker/instance.ts';
import type { Fate, HostObservation } from '../targets/docker/observation.ts';
import { DockerObserver } from '../targets/docker/observer.ts';

interface Host {
  client: DockerClient;
  observer: DockerObserver;
}

/** The instances of all hosts, as often as one of their listings has changed. */
interface Index {
  of: readonly (readonly Instance[])[];
  all: readonly Instance[];
  byId: ReadonlyMap<string, Instance>;
  byService: ReadonlyMap<string, readonly Instance[]>;
}

export class Fleet {
  readonly #hosts = new Map<string, Host>();
  readonly #parts: { log: Log; clock: Clock; agents: () => readonly AgentRecord[] };
  readonly #listeners = new Set<() => void>();
  #indexed: Index = { of: [], all: [], byId: new Map(), byService: new Map() };

  constructor(
    endpoints: readonly DockerEndpoint[],
    parts: { log: Log; clock: Clock; agents: () => readonly AgentRecord[] },
  ) {
    this.#parts = parts;
    for (const endpoint of endpoints) this.add(endpoint);
  }

  /** One more host; before `run`. */
  add(endpoint: DockerEndpoint): void {
    const client = createDockerClient(endpoint);
    const observer = new DockerObserver({ client, ...this.#parts });
    observer.onChange(() => {
      for (const listener of this.#listeners) listener();
    });
    this.#hosts.set(client.host, { client, observer });
  }

  get empty(): boolean {
    return this.#hosts.size === 0;
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#hosts.values()].map(({ observer }) => observer.run(signal)));
    for (const { client } of this.#hosts.values()) client.close();
  }

  views(): HostObservation[] {
    return [...this.#hosts.values()].map(({ observer }) => observer.view());
  }

  instances(): readonly Instance[] {
    return this.#index().all;
  }

  /** Instances of a service, running or not. */
  instancesOf(service: string): readonly Instance[] {
    return this.#index().byService.get(service) ?? [];
  }

  /** By container id. */
  instance(id: string): Instance | undefined {
    return this.#index().byId.get(id);
  }

  client(host: string): DockerClient | undefined {
    return this.#hosts.get(host)?.client;
  }

  /** The engine on which a container is; undefined when none has listed it. */
  clientOf(id: string): DockerClient | undefined {
    const host = this.instance(id)?.host;
    return host === undefined ? undefined : this.client(host);
  }

  /** What has become of a container, on whichever host it was. */
  fate(id: string): Fate {
    const fates = [...this.#hosts.values()].map(({ observer }) => observer.fate(id));
    const known = fates.find((fate) => fate === 'up' || fate === 'stopped');
    if (known !== undefined) return known;
    return fates.includes('gone') ? 'gone' : 'unknown';
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves when a listing of `host` that began after this call is in: what was just done shows in it. While the host
   * does not answer that is not so.
   */
  async lookAgain(host: string, signal: AbortSignal): Promise<void> {
    const observer = this.#hosts.get(host)?.observer;
    if (observer === undefined || (await observer.lookAgain(signal)).known) return;
    const back = Promise.withResolvers<void>();
    const onAbort = () => back.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const end = observer.onChange(({ known }) => {
      if (known) back.resolve();
    });
    try {
      if (!observer.view().known) await back.promise;
    } finally {
      end();
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** What is looked for once for each service or agent must not be looked for among all instances. */
  #index(): Index {
    const lists = this.views().map(({ instances }) => instances);
    const { of } = this.#indexed;
    if (of.length === lists.length && lists.every((list, index) => list === of[index])) return this.#indexed;
    const all = lists.flat();
    const byService = new Map<string, Instance[]>();
    for (const instance of all) {
      if (instance.service === undefined) continue;
      const group = byService.get(instance.service);
      if (group === undefined) byService.set(instance.service, [instance]);
      else group.push(instance);
    }
    this.#indexed = { of: lists, all, byId: new Map(all.map((each) => [each.id, each])), byService };
    return this.#indexed;
  }
}

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

export class Fleet {
  readonly #hosts: ReadonlyMap<string, Host>;

  constructor(
    endpoints: readonly DockerEndpoint[],
    parts: { log: Log; clock: Clock; agents: () => readonly AgentRecord[] },
  ) {
    this.#hosts = new Map(
      endpoints.map((endpoint) => {
        const client = createDockerClient(endpoint);
        return [client.host, { client, observer: new DockerObserver({ client, ...parts }) }];
      }),
    );
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

  instances(): Instance[] {
    return this.views().flatMap(({ instances }) => instances);
  }

  client(host: string): DockerClient | undefined {
    return this.#hosts.get(host)?.client;
  }

  /** The engine on which a container is; undefined when none has listed it. */
  clientOf(id: string): DockerClient | undefined {
    const host = this.instances().find((instance) => instance.id === id)?.host;
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
    const ends = [...this.#hosts.values()].map(({ observer }) => observer.onChange(() => listener()));
    return () => {
      for (const end of ends) end();
    };
  }

  /** A look at `host` that begins after this call: what was just done is in it. */
  async lookAgain(host: string, signal: AbortSignal): Promise<void> {
    await this.#hosts.get(host)?.observer.lookAgain(signal);
  }
}

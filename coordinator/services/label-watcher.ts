// Watches the containers that have labels but no agent: does the app answer at the address that HAProxy is to use?
import { connect } from 'node:net';
import type { Clock } from '../../shared/clock.ts';
import type { Instance } from '../targets/docker/instance.ts';
import type { Fleet } from './fleet.ts';
import type { FleetAgents, Unattended } from './fleet-agents.ts';

const everyMs = 500;
const probeMs = 1000;
/** An app that has answered is out after this many probes in a row that failed (REQUIREMENTS 5). */
const failuresOut = 3;

export class LabelWatcher {
  readonly #fleet: Fleet;
  readonly #agents: FleetAgents;
  readonly #clock: Clock;
  readonly #haproxys: () => readonly string[];
  readonly #probes = new Map<string, { answers: boolean; failures: number }>();

  constructor(parts: { fleet: Fleet; agents: FleetAgents; clock: Clock; haproxys: () => readonly string[] }) {
    this.#fleet = parts.fleet;
    this.#agents = parts.agents;
    this.#clock = parts.clock;
    this.#haproxys = parts.haproxys;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#round();
      await this.#clock.sleep(everyMs, signal);
    }
  }

  async #round(): Promise<void> {
    const instances = this.#fleet.instances().filter(isUnattended);
    const unattended = await Promise.all(instances.map((instance) => this.#probe(instance)));
    const ids = new Set(instances.map(({ id }) => id));
    for (const id of this.#probes.keys()) if (!ids.has(id)) this.#probes.delete(id);
    this.#agents.attend(unattended, this.#haproxys());
  }

  async #probe(instance: Instance): Promise<Unattended> {
    const port = instance.settings.port ?? 0;
    const address = chooseAddress(instance);
    const known = this.#probes.get(instance.id) ?? { answers: false, failures: 0 };
    const ok = address !== undefined && (await accepts(address, port));
    const failures = ok ? 0 : known.failures + 1;
    const answers = ok || (known.answers && failures < failuresOut);
    this.#probes.set(instance.id, { answers, failures });
    return { instance, address, port, answers };
  }
}

/** Has a label that names its port, and nobody inside who would register it. */
function isUnattended(instance: Instance): boolean {
  const { hasAgent, agentId, state, settings } = instance;
  return (
    !hasAgent &&
    agentId === undefined &&
    settings.port !== undefined &&
    (state === 'running' || state === 'paused')
  );
}

function chooseAddress({ networks, settings }: Instance): string | undefined {
  const chosen =
    settings.network === undefined ? networks[0] : networks.find(({ name }) => name === settings.network);
  return chosen?.address;
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: probeMs });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => finish(true));
    socket.once('timeout', () => finish(false));
    socket.once('error', () => finish(false));
  });
}

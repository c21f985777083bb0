// Containers on a network of the test's own, with a HAProxy on the machine that all of them reach, for tests of the
// agent in images.
import { type Container, type ContainerOptions, type DockerEngine, dockerEngine } from '../bench/docker.ts';
import type { Haproxy } from '../bench/haproxy.ts';
import { until } from '../bench/wait.ts';
import { parseLog } from './agent-process.ts';
import { heldSlots, type SlotRow, type SlotState, slots, startLoadBalancer, stateOf } from './fleet.ts';

export interface Containers extends AsyncDisposable {
  readonly engine: DockerEngine;
  readonly haproxy: Haproxy;
  readonly network: string;
  /** For the names of what a test makes. */
  readonly suffix: string;
  /** What an agent needs to know. */
  readonly variables: Readonly<Record<string, string>>;
  /** Held slots by address; several containers have the same port. */
  held(): Promise<Map<string, SlotRow>>;
  /** Starts a container on the network, with `variables` unless `env` has others. */
  start(options: Omit<ContainerOptions, 'network' | 'name'>): Promise<Container>;
  /** Resolves when the slot of the container's address is as wanted. */
  untilSlotOf(container: Container, wanted: SlotState): Promise<void>;
  untilAddress(address: string, wanted: SlotState, logs: () => Promise<string>): Promise<void>;
  /** Stops and removes a container and, if it was killed, the slot that it could not give back. */
  discard(...containers: readonly Container[]): Promise<void>;
}

export async function startContainers(name: string): Promise<Containers> {
  const engine = await dockerEngine();
  const suffix = `${name}-${process.pid}`;
  const network = await engine.network(`net-${suffix}`);
  const haproxy = await startLoadBalancer({ address: network.gateway });
  const variables = {
    HAPROXY_SERVER: haproxy.address,
    HAPROXY_PORT: String(haproxy.cliPort),
    NODE_COUNT: String(slots),
    BERTH_APP_PORT: '8080',
  };
  let names = 0;
  const held = () => heldSlots(haproxy, (row) => row.address);
  const untilAddress: Containers['untilAddress'] = async (address, wanted, logs) => {
    const state = async () => stateOf([...(await held()).values()].find((row) => row.address === address));
    await until(async () => (await state()) === wanted, {
      what: `the slot of ${address} is ${wanted}`,
      deadlineMs: 20_000,
    }).catch(async (error: unknown) => {
      throw new Error(`${error instanceof Error ? error.message : error}\n${await logs()}`, { cause: error });
    });
  };
  const runningAddresses = async () => {
    const format = '{{range .Containers}}{{.IPv4Address}} {{end}}';
    const printed = await engine.run(['network', 'inspect', '-f', format, network.name]);
    return new Set(printed.split(' ').map((address) => address.split('/')[0] ?? ''));
  };
  return {
    engine,
    haproxy,
    network: network.name,
    suffix,
    variables,
    held,
    start: (options) => {
      names += 1;
      return engine.start({
        ...options,
        network: network.name,
        name: `app${names}-${suffix}`,
        env: { ...variables, ...options.env },
      });
    },
    untilSlotOf: async (container, wanted) =>
      untilAddress(await container.address(), wanted, () => container.logs()),
    untilAddress,
    discard: async (...containers) => {
      for (const container of containers) {
        await engine.run(['stop', container.name]);
        await container.remove();
      }
      const running = await runningAddresses();
      for (const { address, name: slot } of (await held()).values()) {
        if (running.has(address)) continue;
        await haproxy.cli(`set server app/${slot} state maint; set server app/${slot} addr 127.0.0.1 port 1`);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await engine.stop();
      await haproxy[Symbol.asyncDispose]();
    },
  };
}

/** The events of a container's agent, in order. */
export async function events(container: Container): Promise<string[]> {
  return parseLog(await container.logs()).map(({ event }) => event);
}

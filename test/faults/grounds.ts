// The grounds of a stage: a Docker network with a subnet of its own, and HAProxys that listen on its gateway.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DockerEngine, dockerEngine, type Network } from '../bench/docker.ts';
import { type Haproxy, type HaproxyVersion, startHaproxy } from '../bench/haproxy.ts';
import type { TemplateOptions } from '../bench/haproxy-config.ts';
import { ensureBaseImage } from '../bench/images.ts';
import { copyPrograms } from './programs.ts';

export interface GroundsOptions {
  /** Default 3.2. */
  version?: HaproxyVersion;
  /** Default 1. */
  haproxys?: number;
  /** `-W`, for reloads. */
  masterWorker?: boolean;
  /** Default 10; 0: backends without a template, for agents in dynamic mode. */
  slots?: number;
  /** Names; default `app` alone. */
  backends?: readonly string[];
  /** HAProxy reads a state file at its start. */
  stateFile?: boolean;
  /** How HAProxy checks; default by HTTP, as in examples/haproxy/production.cfg: a frozen app still accepts TCP. */
  check?: 'http' | 'tcp';
  /** Whether HAProxy tries a request again elsewhere when a connection fails; default true, as in production.cfg. */
  retries?: boolean;
  /** Of the checks; default `500ms`. */
  inter?: string;
}

export interface Grounds {
  /** Of networks and containers. */
  readonly name: string;
  /** Temporary; `mount` in it holds the programs. */
  readonly folder: string;
  readonly engine: DockerEngine;
  readonly network: Network;
  readonly haproxys: readonly Haproxy[];
  readonly haproxy: Haproxy;
  readonly slots: number;
}

let laid = 0;

export async function layGrounds(options: GroundsOptions): Promise<Grounds> {
  laid += 1;
  const name = `berth-faults-${process.pid}-${laid}`;
  const folder = await mkdtemp(join(tmpdir(), 'berth-faults-'));
  await copyPrograms(join(folder, 'mount'));
  const engine = await dockerEngine();
  await ensureBaseImage(engine);
  const network = await fixedNetwork(engine, name);
  const { version = '3.2', masterWorker = false, slots = 10, haproxys: count = 1 } = options;
  const config = configOf({ ...options, slots }, stateFileIn(folder));
  const start = () => startHaproxy({ version, masterWorker, address: network.gateway, config });
  const [haproxy, ...others] = await Promise.all(Array.from({ length: count }, start));
  if (haproxy === undefined) throw new Error('a stage needs an HAProxy');
  return { name, folder, engine, network, haproxys: [haproxy, ...others], haproxy, slots };
}

export const stateFileIn = (folder: string): string => join(folder, 'server-state');

function configOf(options: GroundsOptions & { slots: number }, stateFile: string): TemplateOptions {
  const { slots, backends = ['app'], check = 'http', inter = '500ms', retries = true } = options;
  const readsState = options.stateFile ?? false;
  const lines = check === 'http' ? ['option httpchk GET /healthz'] : [];
  return {
    slots,
    backends: backends.map((name) => ({ name, lines })),
    inter,
    serverOptions: 'fall 2 rise 1 weight 100',
    defaults: [
      ...(retries ? ['option redispatch 1'] : ['no option redispatch', 'retries 0']),
      ...(readsState ? ['load-server-state-from-file global'] : []),
    ],
    global: readsState ? [`server-state-file ${stateFile}`] : [],
  };
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

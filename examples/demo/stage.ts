// What the story is played on: a real HAProxy, the coordinator as its own process, steady traffic, and looks at the
// coordinator's API and at HAProxy itself.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Haproxy, startHaproxy } from '../../test/bench/haproxy.ts';
import { type Running, startProcess } from '../../test/bench/processes.ts';
import { freePort, until } from '../../test/bench/wait.ts';
import type { SlotRow } from './table.ts';

export interface Stage {
  readonly haproxy: Haproxy;
  readonly apiUrl: string;
  /** What every instance is started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly slotCount: number;
  startCoordinator(): Promise<void>;
  killCoordinator(): Promise<void>;
  /** From the coordinator; undefined while it does not answer. */
  slots(): Promise<SlotRow[] | undefined>;
  /** Addresses of ready slots, read from HAProxy itself. */
  readyAddresses(): Promise<string[]>;
  coordinatorOutput(): string;
  /** A call of the API that must succeed; the answer's JSON. */
  call(method: 'GET' | 'PUT', path: string, body?: object): Promise<unknown>;
  close(): Promise<void>;
}

const slotCount = 10;

/** `address` is where HAProxy and the coordinator listen; `folder` keeps the database. */
export async function setStage(
  address: string,
  folder: string,
  program: string,
  dockerHost: string | undefined,
): Promise<Stage> {
  const haproxy = await startHaproxy({
    address,
    config: {
      slots: slotCount,
      inter: '500ms',
      serverOptions: 'fall 2 rise 1 weight 100',
      defaults: ['retry-on conn-failure empty-response'],
    },
  });
  const port = await freePort(address);
  const token = randomBytes(16).toString('hex');
  const apiUrl = `http://${address}:${port}`;
  const common = {
    HAPROXY_SERVER: address,
    HAPROXY_PORT: String(haproxy.cliPort),
    NODE_COUNT: String(slotCount),
    BERTH_TOKEN: token,
  };
  let coordinator: Running | undefined;
  let past = '';
  const headers = { authorization: `Bearer ${token}` };
  const get = (path: string) => fetch(`${apiUrl}${path}`, { headers, signal: AbortSignal.timeout(1000) });

  if (!existsSync(program)) throw new Error(`${program} is missing: run "npm run build"`);
  const startCoordinator = async () => {
    const env = {
      ...common,
      BERTH_LISTEN: `${address}:${port}`,
      BERTH_DATABASE: `sqlite:${join(folder, 'berth.db')}`,
      ...(dockerHost === undefined ? {} : { DOCKER_HOST: dockerHost }),
    };
    coordinator = await startProcess(process.execPath, [program, 'serve'], { env, name: 'berth serve' });
    const started = coordinator;
    await until(
      async () => {
        if (started.exit() !== undefined) return true;
        return (await get('/readyz')).ok;
      },
      { what: 'the coordinator is ready', deadlineMs: 15_000 },
    ).catch((error: unknown) => {
      throw new Error(`the coordinator does not get ready; it wrote:\n${started.output()}`, { cause: error });
    });
    if (started.exit() !== undefined) throw new Error(`the coordinator ended:\n${started.output()}`);
  };
  const killCoordinator = async () => {
    await coordinator?.killAll();
    past += coordinator?.output() ?? '';
    coordinator = undefined;
  };
  return {
    haproxy,
    apiUrl,
    slotCount,
    env: { ...common, BERTH_COORDINATOR: `ws://${address}:${port}/agent`, BERTH_SERVICE: 'shop' },
    startCoordinator,
    killCoordinator,
    slots: async () => {
      try {
        const response = await get('/api/v1/slots');
        return response.ok ? ((await response.json()) as { items: SlotRow[] }).items : undefined;
      } catch {
        return undefined; // the coordinator is away, which is part of the story
      }
    },
    readyAddresses: async () => readyAddresses(await haproxy.cli('show stat')),
    call: async (method, path, body) => {
      const json =
        body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { ...headers, 'content-type': 'application/json' } };
      const response = await fetch(`${apiUrl}${path}`, {
        method,
        headers,
        signal: AbortSignal.timeout(5000),
        ...json,
      });
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return response.json();
    },
    coordinatorOutput: () => past + (coordinator?.output() ?? ''),
    close: async () => {
      await coordinator?.stop();
      await haproxy.stop();
    },
  };
}

/** `address:port` of each server that takes traffic, from `show stat`; pure. */
export function readyAddresses(csv: string): string[] {
  const [header = '', ...rows] = csv.trim().split('\n');
  const names = header.replace(/^# /, '').split(',');
  const column = (fields: readonly string[], name: string) => fields[names.indexOf(name)] ?? '';
  return rows
    .map((row) => row.split(','))
    .filter(
      (fields) =>
        /^node\d+$/.test(column(fields, 'svname')) && /^(?:UP|no check)/.test(column(fields, 'status')),
    )
    .map((fields) => column(fields, 'addr'));
}

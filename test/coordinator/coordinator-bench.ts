// The whole coordinator in this process, on a free loopback port, over a real HAProxy or none.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ClientOptions, WebSocket } from 'ws';
import { readConfig } from '../../coordinator/config/read-config.ts';
import { serve } from '../../coordinator/serve.ts';
import type { Haproxy } from '../bench/haproxy.ts';
import { memoryLog } from './memory-log.ts';
import { Client, heartbeat, hello } from './session-bench.ts';

export interface CoordinatorBench {
  url: string;
  folder: string;
  env: Record<string, string>;
  log: ReturnType<typeof memoryLog>;
  fetch(path: string, options?: RequestInit): Promise<Response>;
  /** A client that has said hello and beaten once. */
  agent(id: string, more?: object): Promise<Client>;
  /** Ends it in order. */
  stop(): Promise<void>;
}

export interface CoordinatorOptions {
  haproxy?: Haproxy | undefined;
  env?: Record<string, string>;
}

export function temporaryFolder(t: TestContext, prefix: string): string {
  const path = mkdtempSync(join(tmpdir(), prefix));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export async function startCoordinator(
  t: TestContext,
  options: CoordinatorOptions = {},
): Promise<CoordinatorBench> {
  const folder = temporaryFolder(t, 'berth-coordinator-');
  const { haproxy } = options;
  const env: Record<string, string> = {
    HAPROXY_SERVER:
      haproxy === undefined ? join(folder, 'no-haproxy.sock') : `${haproxy.address}:${haproxy.cliPort}`,
    BERTH_LISTEN: '127.0.0.1:0',
    BERTH_DATABASE: `sqlite:${join(folder, 'berth.db')}`,
    BERTH_NAME: 'test',
    ...options.env,
  };
  const { config, problems } = readConfig({ env, path: undefined, readFile: () => '' });
  if (config === undefined) throw new Error(problems.join('\n'));
  const log = memoryLog();
  const ending = new AbortController();
  const address = Promise.withResolvers<string>();
  const running = serve(config, log, ending.signal, address.resolve);
  running.catch(address.reject);
  const stop = async () => {
    ending.abort('SIGTERM');
    await running;
  };
  t.after(stop);
  const url = `http://${await address.promise}`;
  const token = env['BERTH_TOKEN'];
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const clients: Client[] = [];
  t.after(() => {
    for (const client of clients) client.socket.terminate();
  });
  return {
    url,
    folder,
    env: { ...env, BERTH_URL: url },
    log,
    fetch: (path, init = {}) =>
      fetch(url + path, { ...init, headers: { ...headers, ...(init.headers as Record<string, string>) } }),
    agent: async (id, more = {}) => {
      const clientOptions: ClientOptions = { headers };
      const client = new Client(new WebSocket(`${url.replace('http', 'ws')}/agent`, clientOptions));
      clients.push(client);
      await client.opened;
      client.send(hello(id, more));
      client.send(heartbeat(1, { registrations: [] }));
      return client;
    },
    stop,
  };
}

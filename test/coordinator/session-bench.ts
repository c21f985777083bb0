// Sessions and registry on a real HTTP server on a free loopback port, and raw WebSocket clients for them.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { type ClientOptions, WebSocket } from 'ws';
import { AgentRegistry } from '../../coordinator/agents/registry.ts';
import { defaultLimits, Sessions, type SessionsOptions } from '../../coordinator/agents/sessions.ts';
import type { AuditEntry } from '../../coordinator/audit/audit-entry.ts';
import { systemClock } from '../../shared/clock.ts';
import { memoryLog } from './memory-log.ts';

export interface SessionBench {
  url: string;
  port: number;
  registry: AgentRegistry;
  sessions: Sessions;
  entries: AuditEntry[];
  log: ReturnType<typeof memoryLog>;
  connect(options?: ClientOptions, path?: string): Promise<Client>;
}

export async function startSessions(
  t: TestContext,
  options: Partial<SessionsOptions> = {},
): Promise<SessionBench> {
  const entries: AuditEntry[] = [];
  const log = memoryLog();
  const audit = { record: async (entry: AuditEntry) => void entries.push(entry) };
  const registry = new AgentRegistry({ audit, log, clock: systemClock });
  const sessions = new Sessions({
    registry,
    token: undefined,
    heartbeatMs: 1000,
    name: 'test',
    log,
    clock: systemClock,
    limits: defaultLimits,
    ...options,
  });
  const server = createServer();
  sessions.attach(server);
  const stop = new AbortController();
  const sweeping = sessions.run(stop.signal);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const clients: Client[] = [];
  t.after(async () => {
    stop.abort();
    for (const client of clients) client.socket.terminate();
    await sessions.close();
    await sweeping;
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `ws://127.0.0.1:${port}`;
  const connect = async (clientOptions: ClientOptions = {}, path = '/agent') => {
    const client = new Client(new WebSocket(url + path, clientOptions));
    clients.push(client);
    await client.opened;
    return client;
  };
  return { url, port, registry, sessions, entries, log, connect };
}

/** A WebSocket client that keeps what it gets. `opened` rejects with the status of a refusal. */
export class Client {
  readonly socket: WebSocket;
  readonly messages: unknown[] = [];
  readonly opened: Promise<void>;
  /** The close code. */
  readonly closed: Promise<number>;
  closeReason = '';

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => this.messages.push(JSON.parse(String(data))));
    this.opened = new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
      socket.once('unexpected-response', (_request, response) => {
        response.resume();
        reject(new Error(`refused with ${response.statusCode}`));
      });
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        this.closeReason = String(reason);
        resolve(code);
      });
    });
    socket.on('error', () => {});
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }
}

export const hello = (agent: string, more: object = {}) => ({ type: 'hello', v: 1, agent, ...more });

export const heartbeat = (seq: number, more: object = {}) => ({
  type: 'heartbeat',
  seq,
  phase: 'ready',
  registrations: [
    { haproxy: 'lb1:9999', backend: 'app', slot: 'node1', address: '10.0.0.5', port: 8080, state: 'ready' },
  ],
  ...more,
});

// The coordinator's end of the wire, for tests of the agent: keeps what it hears, says what the test wants.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { type AgentMessage, agentMessageSchema, type Heartbeat } from '../../shared/protocol.ts';
import { until } from '../bench/wait.ts';

export interface CoordinatorOptions {
  /** What it answers to hello; default a welcome. */
  readonly answer?: (socket: WebSocket) => void;
  readonly heartbeatMs?: number;
  readonly port?: number;
}

export interface Coordinator extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Everything that agents said, checked against the schema. */
  readonly messages: readonly AgentMessage[];
  readonly authorization: readonly (string | undefined)[];
  readonly extensions: readonly (string | undefined)[];
  /** Close codes of the sessions that ended. */
  readonly closed: readonly number[];
  /** To every agent. */
  say(message: unknown): void;
  heartbeats(): Heartbeat[];
  /** Resolves with the first heartbeat, there or to come, that `matches`. */
  heartbeat(what: string, matches: (heartbeat: Heartbeat) => boolean): Promise<Heartbeat>;
  /** Ends every session; new ones are welcome. */
  hangUp(): void;
  /** From now on it reads nothing and answers nothing, and its connections stand. */
  silence(): void;
  stop(): Promise<void>;
}

export async function startCoordinator(options: CoordinatorOptions = {}): Promise<Coordinator> {
  const { heartbeatMs = 200, port = 0 } = options;
  const server = new WebSocketServer({ host: '127.0.0.1', port, path: '/agent' });
  await once(server, 'listening');
  const messages: AgentMessage[] = [];
  const authorization: (string | undefined)[] = [];
  const extensions: (string | undefined)[] = [];
  const closed: number[] = [];
  const welcome = { type: 'welcome', v: 1, coordinator: 'test', heartbeatMs };
  const answer = options.answer ?? ((socket) => socket.send(JSON.stringify(welcome)));
  server.on('connection', (socket, request) => {
    authorization.push(request.headers.authorization);
    extensions.push(request.headers['sec-websocket-extensions']);
    socket.on('close', (code) => closed.push(code));
    socket.on('message', (data) => {
      const message = agentMessageSchema.parse(JSON.parse(String(data)));
      messages.push(message);
      if (message.type === 'hello') answer(socket);
    });
  });
  const heartbeats = () => messages.filter((message) => message.type === 'heartbeat');
  const address = server.address() as AddressInfo;
  const stop = async () => {
    for (const client of server.clients) client.terminate();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    url: `ws://127.0.0.1:${address.port}/agent`,
    port: address.port,
    messages,
    authorization,
    extensions,
    closed,
    say: (message) => {
      for (const client of server.clients) client.send(JSON.stringify(message));
    },
    heartbeats,
    heartbeat: (what, matches) =>
      until(() => heartbeats().find(matches), { what: `a heartbeat ${what}`, deadlineMs: 15_000 }),
    hangUp: () => {
      for (const client of server.clients) client.terminate();
    },
    silence: () => {
      for (const client of server.clients) client.pause();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

// The WebSocket side of the coordinator: takes upgrade requests for `/agent` on the HTTP server, turns strangers away
// before a WebSocket is made, and looks after the open sessions.
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocketServer } from 'ws';
import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import { maxMessageBytes } from '../../shared/protocol.ts';
import { bearerCheck } from '../api/bearer.ts';
import { foreignRequest } from '../api/host-check.ts';
import { AgentSession, type SessionLimits } from './agent-session.ts';
import type { AgentRegistry } from './registry.ts';
import { TokenBucket } from './token-bucket.ts';

export interface SessionsOptions {
  registry: AgentRegistry;
  /** What agents must show; undefined: nothing. */
  token: string | undefined;
  /** Opens the way for agents as well, and nothing else. */
  agentToken?: string | undefined;
  /** How often agents are asked to beat. */
  heartbeatMs: number;
  /** How this coordinator calls itself in the welcome. */
  name: string;
  log: Log;
  clock: Clock;
  limits?: SessionLimits;
}

export const agentPath = '/agent';
export const defaultLimits: SessionLimits = { helloMs: 5000, perSecond: 50, burst: 300 };
/** How long a peer may take to answer a close. */
const closeMs = 1000;

// `closeTimeout` is missing from the types of ws 8.18.
const serverOptions: ServerOptions & { closeTimeout: number } = {
  noServer: true,
  maxPayload: maxMessageBytes,
  perMessageDeflate: false,
  clientTracking: false,
  closeTimeout: closeMs,
};

export class Sessions {
  readonly counters = { messages: 0, welcomed: 0, rejected: 0, unauthorized: 0 };
  readonly #options: SessionsOptions;
  readonly #mayPass: (authorization: string | undefined) => boolean;
  readonly #sessions = new Set<AgentSession>();
  readonly #refusalLog: TokenBucket;
  readonly #server: WebSocketServer;
  #closing = false;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const { token, agentToken = token } = options;
    const [isToken, isAgentToken] = [bearerCheck(token), bearerCheck(agentToken)];
    this.#mayPass = (authorization) => isToken(authorization) || isAgentToken(authorization);
    this.#refusalLog = new TokenBucket(1, 10, options.clock.monotonic());
    this.#server = new WebSocketServer(serverOptions);
  }

  /** Open connections, greeted or not. */
  get count(): number {
    return this.#sessions.size;
  }

  attach(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy());
      const refusal = this.#refusal(request);
      if (refusal === undefined) this.#open(request, socket, head);
      else this.#refuse(request, socket, refusal);
    });
  }

  /** Sweeps for dead peers, once in each heartbeat interval, until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, heartbeatMs } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(heartbeatMs, signal);
      for (const session of this.#sessions) session.sweep();
    }
  }

  /** Tells every agent that the coordinator goes, and waits until they have hung up, for at most a second. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const session of this.#sessions) session.shutDown();
    const deadline = this.#options.clock.monotonic() + closeMs;
    while (this.#sessions.size > 0 && this.#options.clock.monotonic() < deadline) {
      await this.#options.clock.sleep(10);
    }
    for (const session of this.#sessions) session.terminate();
  }

  #open(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const { registry, log, clock, heartbeatMs, name, limits } = this.#options;
      const remote = request.socket.remoteAddress ?? 'unknown';
      const context = {
        registry,
        log,
        clock,
        heartbeatMs,
        name,
        limits: limits ?? defaultLimits,
        counters: this.counters,
      };
      const session = new AgentSession(webSocket, remote, context);
      this.#sessions.add(session);
      webSocket.once('close', () => this.#sessions.delete(session));
    });
  }

  #refusal(request: IncomingMessage): { status: string; why: string } | undefined {
    const { host, origin, authorization } = request.headers;
    const path = request.url?.split('?', 1)[0];
    if (path !== agentPath) return { status: '404 Not Found', why: `there is no WebSocket at ${path}` };
    if (this.#closing) return { status: '503 Service Unavailable', why: 'the coordinator shuts down' };
    // Agents are no browsers; a browser that comes here was sent by a page of somebody else.
    if (origin !== undefined) return { status: '403 Forbidden', why: `it comes from the web page ${origin}` };
    if (!this.#mayPass(authorization)) {
      const why = authorization === undefined ? 'it shows no token' : 'it shows another token';
      return { status: '401 Unauthorized', why: `${why}; is BERTH_TOKEN the same on both sides?` };
    }
    const foreign = this.#options.token === undefined ? foreignRequest(host, undefined) : undefined;
    return foreign === undefined ? undefined : { status: '403 Forbidden', why: foreign };
  }

  #refuse(request: IncomingMessage, socket: Duplex, refusal: { status: string; why: string }): void {
    const { log, clock } = this.#options;
    const code = Number.parseInt(refusal.status, 10);
    if (code === 401) this.counters.unauthorized += 1;
    // Anybody can come and be refused: the log must not fill the disk with it.
    if (this.#refusalLog.take(1, clock.monotonic())) {
      const fields = {
        event: 'session.refused',
        remote: request.socket.remoteAddress,
        code,
        reason: refusal.why,
      };
      log.warn(fields, `refused a session: ${refusal.why}`);
    }
    const body = JSON.stringify({ title: refusal.status.slice(4), status: code, detail: refusal.why });
    socket.end(
      `HTTP/1.1 ${refusal.status}\r\nContent-Type: application/problem+json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
}

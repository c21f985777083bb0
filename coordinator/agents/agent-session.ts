// One WebSocket connection of one agent.
//
//   open ──hello──► welcomed ──heartbeat…──► over          (goodbye, replaced, shutting down)
//     │                │
//     └────────────────┴── garbage, too fast, silent, closed ──► over (lost)
//
// Silence is counted in sweeps that ran, not in time that passed: a coordinator that was itself stopped for a minute
// reads what its agents sent before it calls any of them dead.
import type { RawData, WebSocket } from 'ws';
import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import {
  type AgentMessage,
  agentMessageSchema,
  closeCodes,
  type Drain,
  type Hello,
  protocolVersion,
  type Welcome,
} from '../../shared/protocol.ts';
import type { AgentLink, AgentRegistry } from './registry.ts';
import { TokenBucket } from './token-bucket.ts';

export interface SessionLimits {
  /** How long a connection may take to say hello. */
  helloMs: number;
  /** Messages and timeline events, each session. */
  perSecond: number;
  burst: number;
}

export interface SessionContext {
  registry: AgentRegistry;
  log: Log;
  clock: Clock;
  limits: SessionLimits;
  heartbeatMs: number;
  /** This coordinator's name. */
  name: string;
  /** Counted for the metrics. */
  counters: { messages: number; welcomed: number; rejected: number };
}

/** Sweeps, one heartbeat apart, without a sign of life before a ping is sent, and before the peer counts as dead. */
const silentSweeps = { ping: 2, dead: 4 };

export class AgentSession implements AgentLink {
  readonly #socket: WebSocket;
  readonly #context: SessionContext;
  readonly #bucket: TokenBucket;
  readonly #remote: string;
  readonly #helloTimer: NodeJS.Timeout;
  #agent: string | undefined;
  #over = false;
  #silent = 0;

  constructor(socket: WebSocket, remote: string, context: SessionContext) {
    const { limits, clock } = context;
    this.#socket = socket;
    this.#remote = remote;
    this.#context = context;
    this.#bucket = new TokenBucket(limits.perSecond, limits.burst, clock.monotonic());
    this.#helloTimer = setTimeout(() => {
      this.#reject(closeCodes.badMessage, `no hello within ${limits.helloMs} ms`);
    }, limits.helloMs);
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('ping', () => this.#alive());
    socket.on('pong', () => this.#alive());
    socket.on('error', (error) => this.#lost(`the connection failed: ${error.message}`));
    socket.on('close', (code) => this.#lost(`the connection closed with code ${code}`));
  }

  tell(message: Drain): void {
    this.#send(message);
  }

  replace(): void {
    this.#agent = undefined;
    this.#end(closeCodes.replaced, 'another session of this agent has begun');
  }

  /** Called once in each heartbeat interval. */
  sweep(): void {
    if (this.#over) return;
    if (this.#agent !== undefined && this.#context.registry.isParked(this.#agent)) {
      this.#silent = 0;
      return;
    }
    this.#silent += 1;
    if (this.#silent >= silentSweeps.dead) {
      this.#lost(`silent for ${this.#silent - 1} heartbeats`);
      this.#socket.terminate();
    } else if (this.#silent >= silentSweeps.ping) this.#socket.ping();
  }

  /** The coordinator shuts down. The registry keeps the agent as it is. */
  shutDown(): void {
    this.#agent = undefined;
    this.#end(closeCodes.shuttingDown, 'the coordinator shuts down');
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#over) return;
    this.#silent = 0;
    this.#context.counters.messages += 1;
    const message = isBinary ? undefined : parseMessage(String(data));
    const events =
      typeof message === 'object' && message.type === 'heartbeat' ? (message.events?.length ?? 0) : 0;
    if (!this.#bucket.take(1 + events, this.#context.clock.monotonic())) {
      const { perSecond } = this.#context.limits;
      this.#reject(closeCodes.tooFast, `more than ${perSecond} messages and events a second`);
    } else if (message === undefined)
      this.#reject(closeCodes.badMessage, 'a message that is not of this protocol');
    else if (message === 'unknown') {
      if (this.#agent === undefined) this.#reject(closeCodes.badMessage, 'the first message is not a hello');
    } else this.#handle(message);
  }

  #handle(message: AgentMessage): void {
    const { registry } = this.#context;
    if (message.type === 'hello') {
      if (this.#agent === undefined) this.#welcome(message);
      else this.#reject(closeCodes.badMessage, 'a second hello');
    } else if (this.#agent === undefined)
      this.#reject(closeCodes.badMessage, 'the first message is not a hello');
    else if (message.type === 'heartbeat') registry.beat(this.#agent, this, message);
    else {
      registry.leave(this.#agent, this, message.reason);
      this.#agent = undefined;
      this.#end(closeCodes.goodbye, 'goodbye');
    }
  }

  #welcome(hello: Hello): void {
    const { registry, heartbeatMs, name, counters } = this.#context;
    clearTimeout(this.#helloTimer);
    this.#agent = hello.agent;
    counters.welcomed += 1;
    const v = Math.min(hello.v, protocolVersion);
    this.#send({ type: 'welcome', v, coordinator: name, heartbeatMs });
    registry.greet(hello, this);
  }

  #alive(): void {
    this.#silent = 0;
    if (!this.#bucket.take(1, this.#context.clock.monotonic())) {
      this.#reject(closeCodes.tooFast, 'too many pings');
    } else if (this.#agent !== undefined) this.#context.registry.heard(this.#agent, this);
  }

  #send(message: Drain | Welcome): void {
    this.#socket.send(JSON.stringify(message));
  }

  #reject(code: number, reason: string): void {
    if (this.#over) return;
    const { log, counters } = this.#context;
    counters.rejected += 1;
    const fields = { event: 'session.rejected', agent: this.#agent, remote: this.#remote, code, reason };
    log.warn(fields, `session of ${this.#agent ?? this.#remote} ended: ${reason}`);
    this.#lost(reason);
    this.#socket.close(code, reason);
  }

  #lost(reason: string): void {
    if (this.#over) return;
    this.#finish();
    if (this.#agent !== undefined) this.#context.registry.lose(this.#agent, this, reason);
  }

  #end(code: number, reason: string): void {
    if (this.#over) return;
    this.#finish();
    this.#socket.close(code, reason);
  }

  #finish(): void {
    this.#over = true;
    clearTimeout(this.#helloTimer);
  }
}

const knownTypes: ReadonlySet<unknown> = new Set(['hello', 'heartbeat', 'goodbye']);

/** `unknown` is a message of a newer agent, to be ignored; undefined is garbage. */
function parseMessage(text: string): AgentMessage | 'unknown' | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = agentMessageSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const newer =
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    typeof value.type === 'string' &&
    !knownTypes.has(value.type);
  return newer ? 'unknown' : undefined;
}

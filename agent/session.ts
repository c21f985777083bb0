// One WebSocket connection to one coordinator: hello, welcome, then heartbeats until either side ends it. Loaded only
// when a coordinator is configured.
import { WebSocket } from 'ws';
import { describeError } from '../shared/errors.ts';
import type { AgentMessage, Drain, Hello, Welcome } from '../shared/protocol.ts';
import { closeCodes, maxMessageBytes } from '../shared/protocol-terms.ts';
import { parseCoordinatorMessage } from './coordinator-message.ts';

export interface SessionHooks {
  onWelcome(welcome: Welcome): void;
  onDrain(drain: Drain): void;
  /** The session is over, also one that never came about; called once. */
  onEnd(reason: string): void;
}

const handshakeMs = 5000;

export class Session {
  readonly #socket: WebSocket;
  readonly #hooks: SessionHooks;
  /** When the coordinator was last heard of, by `performance.now()`. */
  heardAt = performance.now();
  #ended = false;
  #welcomeTimer: NodeJS.Timeout | undefined;

  constructor(url: string, token: string | undefined, hello: Hello, hooks: SessionHooks) {
    this.#hooks = hooks;
    this.#socket = new WebSocket(url, {
      perMessageDeflate: false,
      handshakeTimeout: handshakeMs,
      maxPayload: maxMessageBytes,
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    });
    const socket = this.#socket;
    socket.on('open', () => {
      this.send(hello);
      this.#welcomeTimer = setTimeout(() => this.#end('no welcome within 5 s'), handshakeMs);
    });
    socket.on('message', (data, isBinary) => this.#receive(isBinary ? undefined : String(data)));
    socket.on('pong', () => this.#heard());
    socket.on('error', (error) => this.#end(describeError(error)));
    socket.on('close', (code, reason) => this.#end(describeClose(code, reason.toString())));
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(message: AgentMessage): void {
    if (this.open) this.#socket.send(JSON.stringify(message));
  }

  /** Asks for a sign of life; the answer shows in `heardAt`. */
  ping(): void {
    if (this.open) this.#socket.ping();
  }

  /** Ends in order, after everything that was sent. */
  close(): void {
    this.#socket.close(closeCodes.goodbye);
  }

  /** Ends at once. */
  drop(reason: string): void {
    this.#end(reason);
  }

  #heard(): void {
    this.heardAt = performance.now();
  }

  #receive(text: string | undefined): void {
    if (this.#ended) return;
    const message = text === undefined ? undefined : parseCoordinatorMessage(text);
    if (message === undefined) {
      this.#end('a message that is not of this protocol: is this address a coordinator?');
      return;
    }
    this.#heard();
    if (message === 'unknown') return;
    if (message.type === 'drain') this.#hooks.onDrain(message);
    else {
      clearTimeout(this.#welcomeTimer);
      this.#hooks.onWelcome(message);
    }
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#welcomeTimer);
    this.#socket.terminate();
    this.#hooks.onEnd(reason);
  }
}

function describeClose(code: number, reason: string): string {
  const said = reason === '' ? '' : `: ${reason}`;
  switch (code) {
    case closeCodes.unauthorized:
      return `refused by the coordinator, which has another BERTH_TOKEN${said}`;
    case closeCodes.badMessage:
      return `refused by the coordinator, which does not serve this agent's protocol${said}`;
    case closeCodes.replaced:
      return `replaced by another session of the same agent${said}`;
    case closeCodes.tooFast:
      return `too many messages${said}`;
    case closeCodes.shuttingDown:
      return `the coordinator shuts down${said}`;
    default:
      return `closed with code ${code}${said}`;
  }
}

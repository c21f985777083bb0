// One transaction with HAProxy's Runtime API: connect, send, read every reply, close.
//
// A connection is never kept: after a reload an open one stays on the old worker and reads old data, and the socket
// accepts only `stats maxconn` of them (HAPROXY.md, "The sockets"). `prompt` mode is used because its replies have an
// end that can be told (`\n> `); without it `del server` ends its reply with one newline and the others with two.
// Severities (`[3]: …`) tell errors from notices where the text alone does not.
import { connect, type Socket } from 'node:net';
import { BerthError, describeError } from '../errors.ts';
import { plainAddress } from './address.ts';
import type { Command } from './commands.ts';
import type { Endpoint } from './endpoint.ts';
import { type Reply, ReplyReader } from './reply-reader.ts';

export interface Transaction {
  /** One reply for each command, in order. */
  replies: readonly Reply[];
  /** The local end of the connection: the address on which HAProxy can reach this process. Undefined for a path. */
  localAddress: string | undefined;
}

/** What claims, repairs and looks are written against; a model of HAProxy stands in for it in property tests. */
export interface RuntimeApi {
  /**
   * Runs the commands one after the other on a fresh connection.
   * @throws BerthError `haproxy.unreachable`, `haproxy.timeout`, `haproxy.bad-reply`; what was sent before a failure
   *   may have been carried out
   */
  transact(commands: readonly Command[], signal?: AbortSignal): Promise<Transaction>;
}

/** 5,000 slots are 350 KB; what sends more than this is no Runtime API. */
const maxReplyBytes = 16 * 1024 * 1024;

type Tls = typeof import('node:tls');

function open({ path, host, port, tls: files, serverName }: Endpoint, tls: Tls | undefined): Socket {
  if (path !== undefined) return connect(path);
  if (files === undefined || tls === undefined) return connect({ host, port, noDelay: true });
  const { ca, cert, key } = files;
  return tls.connect({
    host,
    port,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  });
}

/** The Runtime API of one HAProxy. `deadlineMs` bounds each whole transaction. */
export function createRuntimeApi(endpoint: Endpoint, deadlineMs = 2000): RuntimeApi {
  return { transact: (commands, signal) => transact(endpoint, commands, deadlineMs, signal) };
}

async function transact(
  endpoint: Endpoint,
  commands: readonly Command[],
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<Transaction> {
  // Loading TLS costs milliseconds that most set-ups need not pay.
  const tls = endpoint.tls === undefined ? undefined : await import('node:tls');
  signal?.throwIfAborted();
  return new Promise<Transaction>((resolve, reject) => {
    let socket: Socket;
    try {
      // Made and listened to without a pause: a network that is down fails in the same tick.
      socket = open(endpoint, tls);
    } catch (error) {
      reject(unreachable(endpoint, error)); // a certificate or key that is none
      return;
    }
    // `prompt` and `set severity-output` answer too, hence two more.
    const reader = new ReplyReader(commands.length + 2);
    let localAddress: string | undefined;
    const finish = (act: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.destroy();
      act();
    };
    const progress = () => `${Math.max(0, reader.replies.length - 2)} of ${commands.length} replies`;
    const timer = setTimeout(() => {
      const message = `HAProxy ${endpoint.name} gave ${progress()} within ${deadlineMs} ms`;
      const hint = 'is its `stats maxconn` used up, or is this port not its Runtime API?';
      finish(() => reject(new BerthError('haproxy.timeout', message, { hint })));
    }, deadlineMs);
    const onAbort = () => finish(() => reject(signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      localAddress = socket.localAddress === undefined ? undefined : plainAddress(socket.localAddress);
    });
    socket.on('error', (error) => finish(() => reject(unreachable(endpoint, error))));
    socket.on('close', () =>
      finish(() => reject(badEnd(endpoint, `closed the connection after ${progress()}`, reader.rest))),
    );
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      if (reader.done) finish(() => resolve({ replies: reader.replies.slice(2), localAddress }));
      else if (reader.bytes > maxReplyBytes)
        finish(() =>
          reject(badEnd(endpoint, `sent ${reader.bytes} bytes and only ${progress()}`, reader.rest)),
        );
    });
    socket.write(`prompt\nset severity-output number\n${commands.join('\n')}\n`);
  });
}

function unreachable(endpoint: Endpoint, cause: unknown): BerthError {
  const hint =
    endpoint.tls === undefined
      ? 'is `stats socket ipv4@*:9999 level admin` in its global section, and is the port open from here?'
      : 'is this the TLS port in front of its Runtime API, and do its certificate and the client certificate each come from the CA that the other side names?';
  const message = `HAProxy ${endpoint.name} cannot be reached: ${describeError(cause)}`;
  return new BerthError('haproxy.unreachable', message, { hint, cause });
}

function badEnd(endpoint: Endpoint, what: string, rest: string): BerthError {
  const last = rest === '' ? '' : `; last read: ${JSON.stringify(rest.slice(0, 60))}`;
  return new BerthError('haproxy.bad-reply', `HAProxy ${endpoint.name} ${what}${last}`, {
    hint: 'is this port its Runtime API, does it want TLS, or is it shutting down?',
  });
}

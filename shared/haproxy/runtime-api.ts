// One transaction with HAProxy's Runtime API: connect, send, read every reply, close.
//
// A connection is never kept: after a reload an open one stays on the old worker and reads old data, and the socket
// accepts only `stats maxconn` of them (HAPROXY.md, "The sockets"). `prompt` mode is used because its replies have an
// end that can be told (`\n> `); without it `del server` ends its reply with one newline and the others with two.
// Severities (`[3]: …`) tell errors from notices where the text alone does not.
import { connect, type Socket } from 'node:net';
import { BerthError } from '../errors.ts';
import { type Command, plainAddress } from './commands.ts';
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

const maxReplyBytes = 64 * 1024 * 1024;

async function open(endpoint: Endpoint): Promise<Socket> {
  if (endpoint.path !== undefined) return connect(endpoint.path);
  if (endpoint.tls === undefined) return connect({ host: endpoint.host, port: endpoint.port, noDelay: true });
  const tls = await import('node:tls'); // loading TLS costs milliseconds that most set-ups need not pay
  const { ca, cert, key } = endpoint.tls;
  return tls.connect({
    host: endpoint.host,
    port: endpoint.port,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(endpoint.serverName === undefined ? {} : { servername: endpoint.serverName }),
  });
}

function unreachable(endpoint: Endpoint, cause: Error): BerthError {
  return new BerthError(
    'haproxy.unreachable',
    `HAProxy ${endpoint.name} cannot be reached: ${cause.message}`,
    {
      hint: 'is `stats socket ipv4@*:9999 level admin` in its global section, and is the port open from here?',
      cause,
    },
  );
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
  signal?.throwIfAborted();
  const socket = await open(endpoint);
  return new Promise<Transaction>((resolve, reject) => {
    // `prompt` and `set severity-output` answer too, hence two more.
    const reader = new ReplyReader(commands.length + 2);
    let localAddress: string | undefined;
    const finish = (act: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.destroy();
      act();
    };
    const timer = setTimeout(() => {
      const got = Math.max(0, reader.replies.length - 2);
      const message = `HAProxy ${endpoint.name} gave ${got} of ${commands.length} replies within ${deadlineMs} ms`;
      const hint = 'is its `stats maxconn` used up, or is this port not its Runtime API?';
      finish(() => reject(new BerthError('haproxy.timeout', message, { hint })));
    }, deadlineMs);
    const onAbort = () => finish(() => reject(signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    const onConnect = () => {
      localAddress = socket.localAddress === undefined ? undefined : plainAddress(socket.localAddress);
    };
    socket.once(endpoint.tls === undefined ? 'connect' : 'secureConnect', onConnect);
    socket.on('error', (error) => finish(() => reject(unreachable(endpoint, error))));
    socket.on('close', () => finish(() => reject(cutShort(endpoint, reader, commands.length))));
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      if (reader.done) finish(() => resolve({ replies: reader.replies.slice(2), localAddress }));
      else if (reader.bytes > maxReplyBytes)
        finish(() => reject(cutShort(endpoint, reader, commands.length)));
    });
    socket.write(`prompt\nset severity-output number\n${commands.join('\n')}\n`);
  });
}

function cutShort(endpoint: Endpoint, reader: ReplyReader, expected: number): BerthError {
  const got = Math.max(0, reader.replies.length - 2);
  const start = reader.rest.slice(0, 60);
  return new BerthError(
    'haproxy.bad-reply',
    `HAProxy ${endpoint.name} closed the connection after ${got} of ${expected} replies${start === '' ? '' : `; last read: ${JSON.stringify(start)}`}`,
    { hint: 'is this port its Runtime API, or is it shutting down?' },
  );
}

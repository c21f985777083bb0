// A TCP proxy on loopback whose connections can be cut off without a word, as by a network that lost its other end:
// nothing goes through them any more, and nobody is told. New connections go through.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface SwallowingProxy extends AsyncDisposable {
  readonly port: number;
  /** From now on the connections that there are carry nothing. */
  swallow(): void;
}

export async function startSwallowingProxy(target: number): Promise<SwallowingProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const other = connect(target, '127.0.0.1');
    const pair = [client, other] as const;
    pairs.add(pair);
    sockets.add(client).add(other);
    for (const [from, to] of [pair, [other, client] as const]) {
      from.on('error', () => undefined);
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    port: address.port,
    swallow: () => {
      for (const [client, other] of pairs) {
        client.unpipe(other);
        other.unpipe(client);
        client.resume();
        other.resume();
      }
      pairs.clear();
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

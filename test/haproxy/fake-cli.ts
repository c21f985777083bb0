// A server that is reached like a Runtime API and behaves as a test says, to show what its clients make of it.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Endpoint } from '../../shared/haproxy/endpoint.ts';

export interface FakeCli extends AsyncDisposable {
  readonly endpoint: Endpoint;
  /** Connections that are open at the moment. */
  open(): number;
}

/** Listens on a free loopback port; `behave` gets each connection. */
export async function startFakeCli(behave: (socket: Socket) => void): Promise<FakeCli> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // the other side went away; 'close' follows
    socket.once('close', () => sockets.delete(socket));
    behave(socket);
    if (socket.listenerCount('data') === 0) socket.resume(); // else the end would not be read
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const { port } = address;
  return {
    endpoint: { name: `127.0.0.1:${port}`, host: '127.0.0.1', port },
    open: () => sockets.size,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

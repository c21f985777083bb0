// Peers as they are when something is wrong: one that accepts and never answers, one that answers garbage.
import { createServer, type Server, type Socket } from 'node:net';

export interface FaultyServer extends AsyncDisposable {
  readonly port: number;
  /** Connections that are open. */
  open(): number;
}

/** Accepts and never answers. */
export function startSilent(): Promise<FaultyServer> {
  return start(() => undefined);
}

/** Writes bytes that are no protocol's. */
export function startGarbage(): Promise<FaultyServer> {
  return start((socket) =>
    socket.write(Buffer.from('\u0007\u0000\u0001\u0002 what is this?\r\n\r\n'.repeat(20))),
  );
}

async function start(onConnection: (socket: Socket) => void): Promise<FaultyServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    // What comes is read, else the end would not be seen either.
    socket.resume();
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    open: () => sockets.size,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

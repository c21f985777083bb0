// How many connections the Runtime API serves at once. `stats maxconn` is 10 by default, and is shown nowhere: the 11th
// connection hangs in the backlog without an error (HAPROXY.md, "The sockets"). So it is tried: `wanted` connections
// are opened, each asks for a prompt, and those that get one are served. All are closed again within `waitMs`.
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Endpoint } from '../../../shared/haproxy/endpoint.ts';

/** How many of `wanted` connections were served at the same time. */
export async function countConnections(endpoint: Endpoint, wanted: number, waitMs: number): Promise<number> {
  const sockets: Socket[] = [];
  const served = new Set<Socket>();
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, waitMs);
    for (let index = 0; index < wanted; index += 1) {
      const socket = open(endpoint);
      sockets.push(socket);
      socket.on('error', () => {}); // not served, which is the answer
      socket.once('data', () => {
        served.add(socket);
        if (served.size < wanted) return;
        clearTimeout(timer);
        resolve();
      });
      socket.write('prompt\n');
    }
  });
  for (const socket of sockets) socket.destroy();
  return served.size;
}

function open({ path, host, port, tls, serverName }: Endpoint): Socket {
  if (path !== undefined) return connect(path);
  if (tls === undefined) return connect({ host, port });
  const { ca, cert, key } = tls;
  const own = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  return connectTls({ host, port, ...own, ...(serverName === undefined ? {} : { servername: serverName }) });
}

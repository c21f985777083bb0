// An app whose requests stay open until the test lets them go.
import { createServer, type ServerResponse } from 'node:http';

export interface HoldingServer extends AsyncDisposable {
  readonly port: number;
  /** Requests that wait. */
  held(): number;
  /** From now on requests wait, or are answered at once, with this status. */
  hold(isHolding: boolean, status?: number): void;
  /** Answers all that wait. */
  release(): void;
}

/** A kept connection that ends just as HAProxy uses it again would be a failed request that no test is about. */
const closing = { connection: 'close' };

export async function startHolding(): Promise<HoldingServer> {
  const waiting = new Set<ServerResponse>();
  let isHolding = false;
  let status = 200;
  const server = createServer((_, response) => {
    if (!isHolding) {
      response.writeHead(status, closing).end('done\n');
      return;
    }
    waiting.add(response);
    response.on('close', () => waiting.delete(response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    held: () => waiting.size,
    hold: (holds, withStatus = 200) => {
      isHolding = holds;
      status = withStatus;
    },
    release: () => {
      for (const response of waiting) response.writeHead(200, closing).end('released\n');
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

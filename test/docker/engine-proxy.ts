// A unix socket before a real Docker Engine's. It passes everything on, and lets a test do something just before the
// engine hears of a request: what happens between two requests of Berth is otherwise a matter of luck.
import { mkdtemp, rm } from 'node:fs/promises';
import { request as ask, createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface EngineProxy extends AsyncDisposable {
  readonly socketPath: string;
  /** Called before a request is passed on; undefined: nothing happens. */
  before: ((method: string, url: URL) => Promise<void>) | undefined;
  /** Requests that were passed on, `POST /containers/create?name=x`. */
  readonly passed: { readonly what: string; readonly at: number }[];
}

export async function startEngineProxy(enginePath: string): Promise<EngineProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-proxy-'));
  const socketPath = join(folder, 'd.sock');
  const passed: { what: string; at: number }[] = [];
  const server = createServer(async (request, response) => {
    const { method = 'GET', url = '/', headers } = request;
    await proxy.before?.(method, new URL(url, 'http://docker')).catch(() => undefined);
    passed.push({ what: `${method} ${url}`, at: Date.now() });
    const onward = ask({ socketPath: enginePath, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    // The engine is gone: so is the connection.
    onward.on('error', () => request.socket.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const proxy: EngineProxy = {
    socketPath,
    before: undefined,
    passed,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return proxy;
}

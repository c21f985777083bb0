// A unix socket before a real Docker Engine's. It passes everything on, and lets a test do something just before the
// engine hears of a request: what happens between two requests of Berth is otherwise a matter of luck. It can also answer
// in the engine's place, as a proxy does that forbids some requests.
import { mkdtemp, rm } from 'node:fs/promises';
import { request as ask, createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface EngineProxy extends AsyncDisposable {
  readonly socketPath: string;
  /** Called before a request is passed on; undefined: nothing happens. */
  before: ((method: string, url: URL) => Promise<void>) | undefined;
  /** What is answered instead of passing a request on; undefined: all are passed on. */
  refuse: ((method: string, url: URL) => { status: number; message: string } | undefined) | undefined;
  /** Requests that were passed on or refused, `POST /containers/create?name=x`. */
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
    const refused = proxy.refuse?.(method, new URL(url, 'http://docker'));
    if (refused !== undefined) {
      response.writeHead(refused.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ message: refused.message }));
      return;
    }
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
    refuse: undefined,
    passed,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return proxy;
}

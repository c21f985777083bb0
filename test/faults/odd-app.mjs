// An app that misbehaves on demand, for containers; otherwise like app.mjs.
//
//   GET  /             200, "HOSTNAME PID\n"
//   GET  /slow?ms=2000 the same, after so long
//   GET  /healthz      200
//   POST /exit         it ends by itself, with code 3, in the middle of what it does
//   POST /close        it closes its port and answers what runs
//
// It ignores SIGTERM.
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://app');
  if (request.method === 'POST' && pathname === '/exit') process.exit(3);
  if (request.method === 'POST' && pathname === '/close') server.close();
  if (pathname === '/slow') await delay(Math.min(Number(searchParams.get('ms') ?? '1000'), 60_000));
  response.writeHead(200, { 'content-type': 'text/plain' }).end(`${hostname()} ${process.pid}\n`);
});
process.on('SIGTERM', () => console.log('odd app: SIGTERM, and it stays'));
server.listen({ port: Number(process.env['PORT'] ?? '8080'), host: '0.0.0.0' });

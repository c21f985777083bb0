// The app that tests put behind HAProxy: plain JavaScript for Node 20 and later, with nothing to install.
//
//   GET  /                  200, "HOSTNAME PID\n"
//   GET  /slow?ms=2000      the same, after so long
//   GET  /healthz           200, or what was last set
//   POST /health/503        sets the status of /healthz
//   GET  /env               its environment, as JSON
//   GET  /stats             requests begun and in flight, as JSON
//
// PORT (default 8080; 0 takes a free one), HOST, BOOT_MS (listens only after so long), STOP_MS (waits so long before it
// goes on SIGTERM). SIGTERM: takes no new connection, answers what runs, exits with EXIT_CODE (default 0).
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

const { PORT = '8080', HOST = '0.0.0.0', BOOT_MS = '0', STOP_MS = '0', EXIT_CODE = '0' } = process.env;
let health = 200;
let begun = 0;
let inFlight = 0;

const server = createServer(async (request, response) => {
  begun += 1;
  inFlight += 1;
  response.once('close', () => {
    inFlight -= 1;
  });
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://app');
  const text = (status, body) => response.writeHead(status, { 'content-type': 'text/plain' }).end(body);
  const json = (body) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  if (pathname === '/') return text(200, `${hostname()} ${process.pid}\n`);
  if (pathname === '/slow') {
    await delay(Math.min(Number(searchParams.get('ms') ?? '1000'), 60_000));
    return text(200, `${hostname()} ${process.pid}\n`);
  }
  if (pathname === '/healthz') return text(health, `${health}\n`);
  if (pathname === '/env') return json(process.env);
  if (pathname === '/stats') return json({ begun, inFlight });
  const set = /^\/health\/(\d{3})$/.exec(pathname);
  if (set !== null && request.method === 'POST') {
    health = Number(set[1]);
    return text(200, `${health}\n`);
  }
  return text(404, 'not found\n');
});

process.once('SIGTERM', async () => {
  console.log('app: SIGTERM');
  await delay(Number(STOP_MS));
  server.close(() => process.exit(Number(EXIT_CODE)));
  server.closeIdleConnections();
});

await delay(Number(BOOT_MS));
server.listen({ port: Number(PORT), host: HOST }, () =>
  console.log(`app: listening on ${server.address().port}`),
);

import { createServer } from 'node:http';
import { hostname } from 'node:os';

const server = createServer((request, response) => {
  if (request.url === '/healthz') response.end('ok\n');
  else response.end(`hello from ${hostname()}\n`);
});
server.listen(Number(process.env.BERTH_APP_PORT));
process.once('SIGTERM', () => server.close(() => process.exit(0)));

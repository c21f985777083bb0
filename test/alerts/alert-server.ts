// The alert routes on a port of their own, behind the API's own check of tokens.
import { serve } from '@hono/node-server';
import { OpenAPIHono } from '@hono/zod-openapi';
import type { AlertInbox } from '../../coordinator/alerts/alert-inbox.ts';
import { signatureHeader } from '../../coordinator/alerts/signature.ts';
import { alertRoutes, isSignedPost } from '../../coordinator/api/alerts-routes.ts';
import { bearerCheck } from '../../coordinator/api/bearer.ts';
import { problem, problemOf } from '../../coordinator/api/problem.ts';
import type { Clock } from '../../shared/clock.ts';
import { memoryLog } from '../coordinator/memory-log.ts';

export const token = 'token-of-the-test';
export const secret = 'secret-of-the-test';

export async function serveAlerts(
  inbox: AlertInbox,
  clock: Clock,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const app = new OpenAPIHono({
    defaultHook: (result, c) => (result.success ? undefined : problem(c, 400, result.error.message)),
  });
  app.onError((error, c) => problemOf(c, error, memoryLog()));
  const mayPass = bearerCheck(token);
  app.use(async (c, next) => {
    const { method, path } = c.req;
    const signed = isSignedPost({ method, path, signature: c.req.header(signatureHeader) }, [secret]);
    if (!signed && !mayPass(c.req.header('authorization'))) return problem(c, 401, 'no token');
    return next();
  });
  alertRoutes(app, { inbox, clock, alertSecrets: [secret] });
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    // A client may hold a connection on which it has sent nothing; Node waits five minutes for its request.
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}

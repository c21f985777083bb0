// The HTTP API: who may ask, how much, and what happens when there is no answer. The routes are in their own files.
import { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { maxAlertBytes } from '../alerts/read-documents.ts';
import { signatureHeader } from '../alerts/signature.ts';
import { agentRoutes } from './agent-routes.ts';
import { type AlertRoutesContext, alertRoutes, isSignedPost } from './alerts-routes.ts';
import { auditRoutes } from './audit-routes.ts';
import { bearerCheck } from './bearer.ts';
import { eventRoutes } from './event-routes.ts';
import { healthRoutes } from './health-routes.ts';
import { homePage } from './home-page.ts';
import { foreignRequest } from './host-check.ts';
import { metricRoutes } from './metric-routes.ts';
import { openApiDocument } from './openapi-document.ts';
import { policyRoutes } from './policy-routes.ts';
import { problem, problemOf } from './problem.ts';
import { reportRoutes } from './report-routes.ts';
import { type ServiceRoutesContext, serviceRoutes } from './service-routes.ts';
import { slotRoutes } from './slot-routes.ts';

const maxBodyBytes = 1024 * 1024;
/** A post of alerts may be a day's worth of them, one of metrics a scrape. */
const largePosts: Readonly<Record<string, number>> = {
  '/api/v1/metrics': 8 * 1024 * 1024,
  '/api/v1/alerts/elastalert': maxAlertBytes,
  '/api/v1/alerts/alertmanager': maxAlertBytes,
  '/api/v1/alerts/generic': maxAlertBytes,
};
const allRoutes = [
  healthRoutes,
  slotRoutes,
  agentRoutes,
  serviceRoutes,
  policyRoutes,
  alertRoutes,
  metricRoutes,
  auditRoutes,
  reportRoutes,
  eventRoutes,
];

/** What all routes together are made over. */
export type AppContext = ServiceRoutesContext & AlertRoutesContext;

export function createApp(context: AppContext): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result, c) => {
      if (result.success) return;
      const errors = result.error.issues.map((issue) => ({
        where: [result.target, ...issue.path].join('.'),
        message: issue.message,
      }));
      const detail = errors.map(({ where, message }) => `${where}: ${message}`).join('; ');
      return problem(c, 400, detail, { code: 'request.invalid', errors });
    },
  });
  app.onError((error, c) => problemOf(c, error, context.log));
  app.use(headers);
  app.use(guard(context));
  const limited = (maxSize: number) =>
    bodyLimit({
      maxSize,
      onError: (c) => {
        c.header('connection', 'close'); // what is left of the body is not waited for
        return problem(c, 413, `a body may have ${maxSize} bytes`, { code: 'request.invalid' });
      },
    });
  const limits = new Map(Object.entries(largePosts).map(([path, size]) => [path, limited(size)]));
  const usual = limited(maxBodyBytes);
  app.use((c, next) => (limits.get(c.req.path) ?? usual)(c, next));

  app.get('/', (c) => c.html(homePage));
  for (const routes of allRoutes) routes(app, context);
  const document = JSON.stringify(openApiDocument(app));
  app.get('/openapi.json', (c) => c.body(document, 200, { 'content-type': 'application/json' }));

  const paths = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({ method, path: pathPattern(path) }));
  app.notFound((c) => {
    const allowed = new Set(paths.filter(({ path }) => path.test(c.req.path)).map(({ method }) => method));
    if (allowed.size === 0) {
      return problem(c, 404, `there is nothing at ${c.req.path}`, {
        code: 'not-found',
        hint: '/openapi.json lists what there is',
      });
    }
    c.header('allow', [...allowed].join(', '));
    return problem(c, 405, `${c.req.path} does not know ${c.req.method}`, { code: 'request.invalid' });
  });
  return app;
}

/** `/agents/:id` as an expression. */
function pathPattern(path: string): RegExp {
  const parts = path
    .split('/')
    .map((part) => (part.startsWith(':') ? '[^/]+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')));
  return new RegExp(`^${parts.join('/')}$`);
}

const headers: MiddlewareHandler = async (c, next) => {
  await next();
  c.header('x-content-type-options', 'nosniff');
  c.header('content-security-policy', "default-src 'self'; frame-ancestors 'none'");
  c.header('referrer-policy', 'no-referrer');
  if (!c.res.headers.has('cache-control')) c.header('cache-control', 'no-store');
};

/** Health and the page of links are open to all; for the rest the token is needed, or without one a local caller. */
function guard(context: AppContext): MiddlewareHandler {
  const mayPass = bearerCheck(context.token);
  const open = new Set(['/', '/livez', '/readyz', ...(context.metricsOpen ? ['/metrics'] : [])]);
  return async (c, next) => {
    if (context.token === undefined) {
      const foreign = foreignRequest(c.req.header('host'), c.req.header('origin'));
      if (foreign !== undefined) {
        const hint = 'without BERTH_TOKEN only local callers are served: set it to be asked from elsewhere';
        return problem(c, 403, foreign, { code: 'request.unauthorized', hint });
      }
    }
    const authorization = c.req.header('authorization');
    const { method, path } = c.req;
    const isSigned = isSignedPost(
      { method, path, signature: c.req.header(signatureHeader) },
      context.alertSecrets,
    );
    if (!open.has(path) && !isSigned && !mayPass(authorization)) {
      c.header('www-authenticate', 'Bearer realm="berth"');
      const detail = authorization === undefined ? 'no token was shown' : 'the token is another one';
      const hint = 'send the header "Authorization: Bearer TOKEN" with the value of BERTH_TOKEN';
      return problem(c, 401, detail, { code: 'request.unauthorized', hint });
    }
    return next();
  };
}

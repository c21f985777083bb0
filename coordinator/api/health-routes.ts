// `/livez`: the process answers. `/readyz`: it can do its work, each check with its reason. `/metrics`: Prometheus.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { ApiContext } from './api-context.ts';
import { ok, problems } from './responses.ts';
import { healthSchema } from './schemas.ts';

const livez = createRoute({
  method: 'get',
  path: '/livez',
  summary: 'Is the process alive?',
  tags: ['health'],
  security: [],
  responses: { 200: ok('It is', healthSchema) },
});

const readyz = createRoute({
  method: 'get',
  path: '/readyz',
  summary: 'Can the coordinator do its work?',
  tags: ['health'],
  security: [],
  responses: {
    200: ok('Every check passes', healthSchema),
    503: ok('A check fails; its reason is told', healthSchema),
  },
});

const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  summary: 'Metrics for Prometheus',
  tags: ['health'],
  responses: {
    200: { description: 'Text format', content: { 'text/plain': { schema: z.string() } } },
    ...problems(),
  },
});

export function healthRoutes(app: OpenAPIHono, context: ApiContext): void {
  app.openapi(livez, (c) => c.json({ status: 'ok' as const, checks: [] }, 200));
  app.openapi(readyz, (c) => {
    const checks = context.readiness().map(({ name, ok: fine, reason }) => ({
      name,
      status: fine ? ('ok' as const) : ('failed' as const),
      reason,
    }));
    return checks.every((check) => check.status === 'ok')
      ? c.json({ status: 'ok' as const, checks }, 200)
      : c.json({ status: 'failed' as const, checks }, 503);
  });
  app.openapi(metrics, async (c) => c.text(await context.metrics(), 200));
}

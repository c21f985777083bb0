// Pushed metrics: a number, a document of a monitoring system, or Prometheus' text or remote-write body.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { parsePushedMetrics } from '../sources/parse-pushed-metrics.ts';
import { ok, problems } from './responses.ts';
import type { ServiceRoutesContext } from './service-routes.ts';

const push = createRoute({
  method: 'post',
  path: '/api/v1/metrics',
  summary: 'Take in values that policies may use as their source `pushed`',
  description:
    'The content type tells the form: text/plain is a plain number (with ?name=…) or Prometheus text, application/json a number, {name, value}, or a document of Metricbeat, Datadog or Stackdriver, application/x-protobuf a Prometheus remote-write body.',
  tags: ['metrics'],
  request: { query: z.object({ name: z.string().min(1).max(253).optional() }) },
  responses: {
    202: ok('How many values were taken', z.object({ accepted: z.int() })),
    ...problems(400, 413),
  },
});

export function metricRoutes(app: OpenAPIHono, { scaling }: ServiceRoutesContext): void {
  app.openapi(push, async (c) => {
    const body = new Uint8Array(await c.req.arrayBuffer());
    const metrics = parsePushedMetrics(c.req.header('content-type') ?? '', body, c.req.valid('query').name);
    scaling.pushed.put(metrics);
    return c.json({ accepted: metrics.length }, 202);
  });
}

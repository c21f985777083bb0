// What happened, added up by service, policy and hour; and what services use of what is reserved for them.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { ReportTally } from '../audit/report.ts';
import type { Evaluation } from '../services/decision-log.ts';
import { instant, readPages } from './audit-routes.ts';
import { ok, problems } from './responses.ts';
import type { ServiceRoutesContext } from './service-routes.ts';

export const reportLineSchema = z
  .object({
    key: z.string().openapi({ description: 'The service, the policy, or the hour as `2026-03-02T10:00Z`' }),
    ups: z.int().openapi({ description: 'Decisions that raised a size' }),
    added: z.int(),
    downs: z.int(),
    removed: z.int(),
    failures: z.int(),
    held: z.int(),
    rows: z.int().openapi({ description: 'Rows of any event' }),
    events: z.array(z.object({ event: z.string(), count: z.int() })),
    reasons: z.array(z.object({ reason: z.string(), count: z.int() })),
  })
  .openapi('ReportLine');

export const usageSchema = z
  .object({
    service: z.string(),
    metric: z.string(),
    instances: z.int().openapi({ description: 'Instances with a value' }),
    used: z.number().openapi({ description: 'CPU in thousandths of a core, memory in bytes' }),
    reserved: z.number(),
    percent: z.number(),
    at: z.iso.datetime(),
  })
  .openapi('Usage');

export const reportSchema = z
  .object({
    byService: z.array(reportLineSchema),
    byPolicy: z.array(reportLineSchema),
    byHour: z.array(reportLineSchema),
    usage: z.array(usageSchema).openapi({
      description:
        'At the last evaluation, of services whose policy reads CPU or memory of containers with limits',
    }),
  })
  .openapi('Report');

const report = createRoute({
  method: 'get',
  path: '/api/v1/report',
  summary: 'The audit added up by service, policy and hour, and used against reserved',
  tags: ['audit'],
  request: { query: z.object({ since: instant, until: instant }) },
  responses: { 200: ok('The report', reportSchema), ...problems(400, 503) },
});

export function reportRoutes(app: OpenAPIHono, { audit, scaling }: ServiceRoutesContext): void {
  app.openapi(report, async (c) => {
    const tally = new ReportTally();
    for await (const rows of readPages(audit, c.req.valid('query'))) for (const row of rows) tally.add(row);
    const evaluations = scaling.decisions.services().flatMap((name) => scaling.decisions.last(name) ?? []);
    return c.json({ ...tally.report(), usage: evaluations.flatMap(usageOf) }, 200);
  });
}

/** Readings by instance that say what 100 % is. */
export function usageOf({ record, at }: Evaluation): z.infer<typeof usageSchema>[] {
  return Object.entries(record.inputs.observations.readings).flatMap(([metric, reading]) => {
    if (!reading.ok || reading.shape !== 'perInstance') return [];
    const samples = Object.values(reading.samples).filter(({ request = 0 }) => request > 0);
    const used = samples.reduce((sum, { value }) => sum + value, 0);
    const reserved = samples.reduce((sum, { request = 0 }) => sum + request, 0);
    if (reserved === 0) return [];
    const percent = Math.round((1000 * used) / reserved) / 10;
    const { service } = record;
    return [
      { service, metric, instances: samples.length, used, reserved, percent, at: new Date(at).toISOString() },
    ];
  });
}

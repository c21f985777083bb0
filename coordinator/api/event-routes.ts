import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { ApiContext } from './api-context.ts';
import { readMissedRows } from './missed-rows.ts';
import { problem } from './problem.ts';
import { problems } from './responses.ts';

const events = createRoute({
  method: 'get',
  path: '/api/v1/events',
  summary:
    'Server-sent events: `audit` (a row of the audit), `slot` (a slot that changed), and, after a long absence, `gap` (rows after this id are left out: read the audit)',
  tags: ['events'],
  request: {
    headers: z.object({
      'last-event-id': z
        .string()
        .max(100)
        .optional()
        .openapi({ description: 'Id of the last audit row that was seen' }),
    }),
  },
  responses: {
    200: { description: 'The stream', content: { 'text/event-stream': { schema: z.string() } } },
    ...problems(400, 503),
  },
});

export function eventRoutes(app: OpenAPIHono, context: ApiContext): void {
  app.openapi(events, async (c) => {
    if (context.streams.full) return problem(c, 503, 'too many event streams are open');
    const last = c.req.valid('header')['last-event-id'];
    const missed = last === undefined ? undefined : await readMissedRows(context.audit, last);
    return c.body(context.streams.open(missed), 200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
    });
  });
}

import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Audit } from '../audit/audit.ts';
import { csvHeader, formatCsvRow } from '../audit/audit-csv.ts';
import type { AuditRow } from '../audit/audit-entry.ts';
import type { AuditFilter } from '../audit/audit-table.ts';
import type { ApiContext } from './api-context.ts';
import { ok, problems } from './responses.ts';
import { auditRowSchema, cursorQuery, limitQuery, pageOf } from './schemas.ts';
import { viewAuditRow } from './views.ts';

const name = z.string().min(1).max(253).optional();
export const instant = z
  .string()
  .max(40)
  .refine((text) => !Number.isNaN(Date.parse(text)), 'not a time: write 2026-01-31T12:00:00Z')
  .transform((text) => Date.parse(text))
  .optional()
  .openapi({ type: 'string', format: 'date-time' });

const filterSchema = z.object({
  event: name.openapi({ description: 'A whole event, or the start of several: `slot.*`' }),
  actor: name,
  outcome: auditRowSchema.shape.outcome.optional(),
  agent: name,
  container: name,
  service: name,
  haproxy: name,
  backend: name,
  slot: name,
  policy: name,
  since: instant,
  until: instant,
});

const audit = createRoute({
  method: 'get',
  path: '/api/v1/audit',
  summary: 'Every act, newest first',
  tags: ['audit'],
  request: {
    query: filterSchema.extend({
      cursor: cursorQuery,
      limit: limitQuery(100),
      order: z.enum(['asc', 'desc']).default('desc'),
    }),
  },
  responses: { 200: ok('Rows', pageOf(auditRowSchema)), ...problems(400, 503) },
});

const exportRoute = createRoute({
  method: 'get',
  path: '/api/v1/audit/export',
  summary: 'All rows that match, oldest first, as a file',
  tags: ['audit'],
  request: { query: filterSchema.extend({ format: z.enum(['csv', 'json']).default('csv') }) },
  responses: {
    200: {
      description: 'The file',
      content: {
        'text/csv': { schema: z.string() },
        'application/json': { schema: z.array(auditRowSchema) },
      },
    },
    ...problems(400, 503),
  },
});

export function auditRoutes(app: OpenAPIHono, context: ApiContext): void {
  app.openapi(audit, async (c) => {
    const { cursor, limit, order, ...filter } = c.req.valid('query');
    const { items, ...rest } = await context.audit.query(filter, cursor, limit, order);
    return c.json({ items: items.map(viewAuditRow), ...rest }, 200);
  });
  app.openapi(exportRoute, async (c) => {
    const { format, ...filter } = c.req.valid('query');
    const pages = readPages(context.audit, filter);
    // The first page is read before the status is sent: a database that is away is a 503, not a torn file.
    const first = await pages.next();
    const stream = encode(format === 'csv' ? csvText(first, pages) : jsonText(first, pages));
    const type = format === 'csv' ? 'text/csv; charset=utf-8' : 'application/json';
    return c.body(stream, 200, {
      'content-type': type,
      'content-disposition': `attachment; filename="berth-audit.${format}"`,
    });
  });
}

export type Pages = AsyncGenerator<AuditRow[], void>;
type FirstPage = IteratorResult<AuditRow[], void>;

/** Page by page, as fast as the reader takes them. */
export async function* readPages(log: Audit, filter: AuditFilter): Pages {
  for (let cursor: string | undefined; ; ) {
    const page = await log.query(filter, cursor, 500, 'asc');
    yield page.items;
    if (page.next === undefined) return;
    cursor = page.next;
  }
}

async function* withFirst(first: FirstPage, rest: Pages): Pages {
  if (first.done !== true) yield first.value;
  yield* rest;
}

async function* csvText(first: FirstPage, rest: Pages): AsyncGenerator<string> {
  yield csvHeader;
  for await (const rows of withFirst(first, rest)) yield rows.map(formatCsvRow).join('');
}

async function* jsonText(first: FirstPage, rest: Pages): AsyncGenerator<string> {
  let separator = '[';
  for await (const rows of withFirst(first, rest)) {
    for (const row of rows) {
      yield `${separator}\n${JSON.stringify(viewAuditRow(row))}`;
      separator = ',';
    }
  }
  yield separator === '[' ? '[]\n' : '\n]\n';
}

/** As fast as the reader takes it. */
function encode(texts: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull: async (controller) => {
      const next = await texts.next();
      if (next.done === true) controller.close();
      else controller.enqueue(encoder.encode(next.value));
    },
    cancel: async () => {
      await texts.return(undefined);
    },
  });
}

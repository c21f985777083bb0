// What the API gives and takes. The OpenAPI document, the types of the routes and the tests' checks come from here.
import { z } from '@hono/zod-openapi';
import { parseDuration } from '../../shared/duration.ts';
import { phaseSchema } from '../../shared/protocol.ts';

const time = z.iso.datetime().openapi({ example: '2026-01-31T12:00:00.000Z' });

const longestSpanMs = 3650 * 86_400_000;

/** How long something that people say holds: a duration, as they wrote it. A time that is out of a calendar's reach is none. */
export const spanSchema = z
  .string()
  .max(40)
  .superRefine((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms > 0 && ms <= longestSpanMs) return;
    const mend = 'write 30m or 2h, at most 3650d';
    context.addIssue({
      code: 'custom',
      message: `${JSON.stringify(text)} is not a time to hold for: ${mend}`,
    });
  })
  .openapi({ example: '30m' });

/** Who says so, for the audit. */
export const bySchema = z
  .string()
  .min(1)
  .max(200)
  .default('operator')
  .openapi({ description: 'Who says so, for the audit' });

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().optional().openapi({ description: "Berth's stable error code" }),
    hint: z.string().optional().openapi({ description: 'What to do about it' }),
    instance: z.string().optional(),
    errors: z.array(z.object({ where: z.string(), message: z.string() })).optional(),
  })
  .openapi('Problem', { description: 'An error, as in RFC 9457' });
export type Problem = z.infer<typeof problemSchema>;

export const slotSchema = z
  .object({
    haproxy: z.string(),
    backend: z.string(),
    slot: z.string(),
    address: z.string().nullable(),
    port: z.int().nullable(),
    state: z.enum(['ready', 'drain', 'maint', 'down', 'free']),
    agent: z.string().nullable(),
    container: z.string().nullable(),
    service: z.string().nullable(),
  })
  .openapi('Slot');

export const haproxySchema = z
  .object({
    name: z.string(),
    reachable: z.boolean(),
    error: z.string().nullable(),
    version: z.string().nullable(),
    pid: z.int().nullable(),
    startedAt: time.nullable(),
    uptimeSeconds: z.number().nullable(),
    slots: z.int(),
    free: z.int(),
    ready: z.int(),
    observedAt: time.nullable().openapi({ description: 'When it last answered' }),
  })
  .openapi('Haproxy');

export const agentSchema = z
  .object({
    id: z.string(),
    service: z.string().nullable(),
    container: z.string().nullable(),
    hostname: z.string().nullable(),
    connected: z.boolean(),
    phase: z.enum(phaseSchema.options),
    registrations: z.array(
      z.object({
        haproxy: z.string(),
        backend: z.string().nullable(),
        slot: z.string().nullable(),
        address: z.string().nullable(),
        port: z.int(),
        state: z.enum(['none', 'ready', 'drain', 'maint']),
        error: z.string().nullable(),
      }),
    ),
    metrics: z.record(z.string(), z.object({ value: z.number(), ageMs: z.number() })),
    heardMsAgo: z
      .number()
      .nullable()
      .openapi({ description: 'null: not heard since the coordinator started' }),
    lostMsAgo: z.number().nullable().openapi({ description: 'null: not lost' }),
    goodbyeReason: z.string().nullable(),
    drainReason: z.string().nullable().openapi({ description: 'Why it has been told to leave traffic' }),
    firstSeen: time,
    lastSeen: time,
  })
  .openapi('Agent');
export type AgentView = z.infer<typeof agentSchema>;

export const auditRowSchema = z
  .object({
    id: z.string(),
    at: time,
    event: z.string(),
    actor: z.string(),
    reason: z.string(),
    outcome: z.enum(['ok', 'failed', 'held']),
    agent: z.string().nullable(),
    container: z.string().nullable(),
    host: z.string().nullable(),
    service: z.string().nullable(),
    haproxy: z.string().nullable(),
    backend: z.string().nullable(),
    slot: z.string().nullable(),
    policy: z.string().nullable(),
    metric: z.string().nullable(),
    value: z.number().nullable(),
    from: z.string().nullable(),
    to: z.string().nullable(),
    alert: z.string().nullable(),
    details: z.record(z.string(), z.unknown()).nullable(),
  })
  .openapi('AuditRow');
export type AuditView = z.infer<typeof auditRowSchema>;

export const healthSchema = z
  .object({
    status: z.enum(['ok', 'failed']),
    checks: z.array(z.object({ name: z.string(), status: z.enum(['ok', 'failed']), reason: z.string() })),
  })
  .openapi('Health');

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({
    items: z.array(item),
    next: z
      .string()
      .optional()
      .openapi({ description: 'The `cursor` of the next page; not there on the last one' }),
  });
}

/** A query parameter is text; a whole number in it is checked and bounded. */
export function limitQuery(normal: number) {
  return z.coerce.number().int().min(1).max(1000).default(normal).openapi({ description: 'Items on a page' });
}

export const cursorQuery = z
  .string()
  .max(1000)
  .optional()
  .openapi({ description: '`next` of the page before' });

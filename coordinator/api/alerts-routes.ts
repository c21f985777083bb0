// Alerts over HTTP: the intake in three dialects, the inbox, what is live, and silences.
//
// The intake reads bytes: what is posted may be a list, one object a line, or no JSON at all, and each document gets an
// outcome of its own. A post may be signed instead of carrying the token (alerts/signature.ts): the guard lets those
// through for which `isSignedPost` is true, and the signature is checked here, over the body.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Clock } from '../../shared/clock.ts';
import { parseDuration } from '../../shared/duration.ts';
import { BerthError } from '../../shared/errors.ts';
import type { AlertInbox, Outcome } from '../alerts/alert-inbox.ts';
import { type Dialect, dialects } from '../alerts/alert-signal.ts';
import { alertStates, alertStatuses, type InboxRow } from '../alerts/inbox-row.ts';
import { answerReplay, receiveAlerts } from '../alerts/receive-alerts.ts';
import { signatureHeader, verifySignature } from '../alerts/signature.ts';
import { type Silence, silenceMatchSchema } from '../alerts/silence.ts';
import { TakenPosts } from '../alerts/taken-posts.ts';
import { ok, problems } from './responses.ts';
import { bySchema, cursorQuery, limitQuery, pageOf, spanSchema } from './schemas.ts';

export interface AlertRoutesContext {
  inbox: AlertInbox;
  clock: Clock;
  /** Shared secrets that posts of alerts may be signed with; none: the token is the only way. */
  alertSecrets: readonly string[];
}

/** True for a post of alerts that carries a signature, which is then checked instead of the token. */
export function isSignedPost(
  request: { method: string; path: string; signature: string | undefined },
  alertSecrets: readonly string[],
): boolean {
  const { method, path, signature } = request;
  return (
    alertSecrets.length > 0 &&
    signature !== undefined &&
    method === 'POST' &&
    /^\/api\/v1\/alerts\/[a-z]+$/.test(path)
  );
}

const time = z.iso.datetime().nullable();
const name = z.string().min(1).max(253).optional();

const outcomeSchema = z
  .object({
    index: z.int().openapi({ description: 'Its place in the post' }),
    state: z.enum(alertStates),
    reason: z.string(),
    fingerprint: z.string(),
    name: z.string().nullable(),
    service: z.string().nullable(),
    problems: z.array(z.object({ field: z.string(), value: z.string(), mend: z.string() })),
    stored: z
      .boolean()
      .openapi({ description: 'false: acts from memory, and is written when the database is back' }),
  })
  .openapi('AlertOutcome');

const answerSchema = z
  .object({
    accepted: z.int().openapi({ description: 'Fired, or ended something' }),
    skipped: z.int().openapi({ description: 'Changed nothing: repeats, silenced, out of date' }),
    failed: z.int(),
    outcomes: z.array(outcomeSchema),
  })
  .openapi('AlertAnswer');

export const silenceSchema = z
  .object({
    id: z.string(),
    match: z.record(z.string(), z.string()),
    until: z.iso.datetime(),
    by: z.string(),
    why: z.string(),
    createdAt: z.iso.datetime(),
  })
  .openapi('Silence');

export const alertRowSchema = z
  .object({
    id: z.string(),
    fingerprint: z.string(),
    dialect: z.enum(dialects),
    name: z.string().nullable(),
    service: z.string().nullable(),
    container: z.string().nullable(),
    action: z.string().nullable(),
    severity: z.string().nullable(),
    status: z.enum(alertStatuses),
    state: z.enum(alertStates),
    reason: z.string(),
    repeats: z.int().openapi({ description: 'How often the same was heard again' }),
    startsAt: time,
    receivedAt: z.iso.datetime(),
    heardAt: z.iso.datetime(),
    expiresAt: time,
    endedAt: time,
    document: z.string().nullable().openapi({ description: 'What could not be read, clipped' }),
  })
  .openapi('AlertRow');

const intake = createRoute({
  method: 'post',
  path: '/api/v1/alerts/{dialect}',
  summary: 'Alerts of ElastAlert or Alertmanager, or in the generic form',
  tags: ['alerts'],
  request: {
    params: z.object({ dialect: z.enum(dialects).openapi({ param: { name: 'dialect', in: 'path' } }) }),
    body: {
      required: true,
      content: { '*/*': { schema: z.unknown().openapi({ description: 'JSON, or a JSON object a line' }) } },
    },
  },
  responses: { 200: ok('What became of each', answerSchema), ...problems(400, 413, 503) },
});

const list = createRoute({
  method: 'get',
  path: '/api/v1/alerts',
  summary: 'The inbox, newest first',
  tags: ['alerts'],
  request: {
    query: z.object({
      state: z.enum(alertStates).optional(),
      status: z.enum(alertStatuses).optional(),
      dialect: z.enum(dialects).optional(),
      service: name,
      name,
      fingerprint: name,
      cursor: cursorQuery,
      limit: limitQuery(100),
    }),
  },
  responses: { 200: ok('Rows', pageOf(alertRowSchema)), ...problems(400, 503) },
});

const live = createRoute({
  method: 'get',
  path: '/api/v1/alerts/live',
  summary: 'Alerts that fire now, and the silence that keeps one from acting',
  tags: ['alerts'],
  responses: {
    200: ok(
      'Live alerts',
      z.object({ items: z.array(alertRowSchema.extend({ silencedBy: silenceSchema.nullable() })) }),
    ),
    ...problems(),
  },
});

const silences = createRoute({
  method: 'get',
  path: '/api/v1/silences',
  summary: 'Silences that are not over',
  tags: ['alerts'],
  responses: { 200: ok('Silences', z.object({ items: z.array(silenceSchema) })), ...problems() },
});

const pattern = z.string().min(1).max(253).optional();
const silence = createRoute({
  method: 'post',
  path: '/api/v1/silences',
  summary: 'Keep matching alerts from acting for a time',
  tags: ['alerts'],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.strictObject({
            match: z
              .strictObject({
                service: pattern,
                name: pattern,
                severity: pattern,
                action: pattern,
                container: pattern,
                fingerprint: pattern,
                dialect: z.enum(dialects).optional(),
              })
              .openapi({ description: 'Each must match; a `*` at the end matches any rest' }),
            for: spanSchema,
            by: z.string().min(1).max(253),
            why: z.string().min(1).max(1000),
          }),
        },
      },
    },
  },
  responses: { 201: ok('The silence', silenceSchema), ...problems(400, 413) },
});

const unsilence = createRoute({
  method: 'delete',
  path: '/api/v1/silences/{id}',
  summary: 'End a silence now',
  tags: ['alerts'],
  request: {
    params: z.object({
      id: z
        .string()
        .min(1)
        .max(64)
        .openapi({ param: { name: 'id', in: 'path' } }),
    }),
    query: z.object({ by: bySchema }),
  },
  responses: { 204: { description: 'It is over' }, ...problems(400, 404) },
});

export function alertRoutes(app: OpenAPIHono, context: AlertRoutesContext): void {
  const { inbox, clock, alertSecrets } = context;
  const taken = new TakenPosts();
  const receive = async (header: string | undefined, dialect: Dialect, body: Uint8Array) => {
    if (header === undefined || alertSecrets.length === 0) return receiveAlerts(inbox, dialect, body);
    const nowWall = clock.wall();
    const check = verifySignature({ header, body, secrets: alertSecrets, nowWall });
    if (!check.ok) {
      const hint = 'sign as alerts/signature.ts says, or show the token';
      throw new BerthError('request.unauthorized', check.reason, { hint });
    }
    if (!taken.take(check.seal, check.until, nowWall))
      return answerReplay(dialect, body, { wall: nowWall, monotonic: clock.monotonic() });
    try {
      return await receiveAlerts(inbox, dialect, body);
    } catch (error) {
      taken.giveBack(check.seal);
      throw error;
    }
  };
  app.openapi(intake, async (c) => {
    const body = new Uint8Array(await c.req.arrayBuffer());
    const { dialect } = c.req.valid('param');
    const { outcomes, ...counts } = await receive(c.req.header(signatureHeader), dialect, body);
    return c.json({ ...counts, outcomes: outcomes.map(viewOutcome) }, 200);
  });
  app.openapi(list, async (c) => {
    const { cursor, limit, ...filter } = c.req.valid('query');
    const { items, ...rest } = await inbox.list(filter, cursor, limit);
    return c.json({ items: items.map(viewRow), ...rest }, 200);
  });
  app.openapi(live, (c) => {
    const items = inbox.live().map(({ row, silence: by }) => ({
      ...viewRow(row),
      silencedBy: by === undefined ? null : viewSilence(by),
    }));
    return c.json({ items }, 200);
  });
  app.openapi(silences, (c) => c.json({ items: inbox.silences().map(viewSilence) }, 200));
  app.openapi(silence, async (c) => {
    const { match, for: time, by, why } = c.req.valid('json');
    const set = await inbox.silence({
      match: silenceMatchSchema.parse(match),
      until: clock.wall() + (parseDuration(time) ?? 0),
      by,
      why,
    });
    return c.json(viewSilence(set), 201);
  });
  app.openapi(unsilence, async (c) => {
    const { id } = c.req.valid('param');
    if (!(await inbox.unsilence(id, c.req.valid('query').by)))
      throw new BerthError('not-found', `there is no silence ${id}, or it is over`);
    return c.body(null, 204);
  });
}

function viewOutcome({ name: rule, service, ...rest }: Outcome): z.infer<typeof outcomeSchema> {
  return { ...rest, name: rule ?? null, service: service ?? null };
}

function viewRow({
  signal: _,
  startsAt,
  receivedAt,
  heardAt,
  expiresAt,
  endedAt,
  ...rest
}: InboxRow): z.infer<typeof alertRowSchema> {
  return {
    ...rest,
    startsAt: instant(startsAt),
    receivedAt: new Date(receivedAt).toISOString(),
    heardAt: new Date(heardAt).toISOString(),
    expiresAt: instant(expiresAt),
    endedAt: instant(endedAt),
  };
}

function viewSilence({ match, until, createdAt, ...rest }: Silence): z.infer<typeof silenceSchema> {
  const given = Object.entries(match).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    ...rest,
    match: Object.fromEntries(given),
    until: new Date(until).toISOString(),
    createdAt: new Date(createdAt).toISOString(),
  };
}

function instant(wall: number | null): string | null {
  return wall === null ? null : new Date(wall).toISOString();
}

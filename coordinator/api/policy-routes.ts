// Policies at run time: what is in force and where each part of it comes from, and those of the database to write.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { BerthError } from '../../shared/errors.ts';
import type { Audit } from '../audit/audit.ts';
import { policySchema } from '../policy/policy-schema.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { type EffectivePolicy, originNames } from '../policy/resolve-policies.ts';
import { withoutSecrets } from '../policy/without-secrets.ts';
import type { Scaling } from '../services/scaling.ts';
import { pageItems } from './page.ts';
import { ok, problems } from './responses.ts';
import { bySchema, cursorQuery, limitQuery, pageOf } from './schemas.ts';

const origin = z.enum(originNames);
export const effectiveSchema = z
  .object({
    name: z.string(),
    service: z.string(),
    origins: z.object({ policy: origin, service: origin, minReplicas: origin, maxReplicas: origin }).openapi({
      description:
        'Where each part comes from: a label goes before the database, that before the file; alert: no policy but live alerts',
    }),
    minReplicas: z.int(),
    maxReplicas: z.int(),
    intervalMs: z.number(),
    metrics: z.array(z.string()),
    policy: z.unknown().openapi({ description: 'Every value in force, with the defaults' }),
    document: z
      .unknown()
      .openapi({ description: 'As it was written, for policies of the database; else null' }),
  })
  .openapi('Policy');

const policies = createRoute({
  method: 'get',
  path: '/api/v1/policies',
  summary:
    'The policies in force, by service, and why others are not; those that live alerts make among them',
  tags: ['policies'],
  request: { query: z.object({ cursor: cursorQuery, limit: limitQuery(1000) }) },
  responses: {
    200: ok('Policies', pageOf(effectiveSchema).extend({ problems: z.array(z.string()) })),
    ...problems(400),
  },
});

const put = createRoute({
  method: 'put',
  path: '/api/v1/policies/{name}',
  summary: 'Write a policy into the database; it goes before one of the file with the same name or service',
  tags: ['policies'],
  request: {
    params: z.object({ name: z.string().min(1).max(200) }),
    query: z.object({ by: bySchema }),
    body: {
      content: {
        'application/json': {
          schema: z.looseObject({}).openapi({ description: 'A policy, as in docs/policies.md' }),
        },
      },
    },
  },
  responses: { 200: ok('The policy in force', effectiveSchema), ...problems(400, 409, 413, 415, 422, 503) },
});

const remove = createRoute({
  method: 'delete',
  path: '/api/v1/policies/{name}',
  summary: 'Delete a policy of the database',
  tags: ['policies'],
  request: { params: z.object({ name: z.string().min(1).max(200) }), query: z.object({ by: bySchema }) },
  responses: { 204: { description: 'It is gone' }, ...problems(404, 503) },
});

/** What is needed of the deciding half and of the audit. */
export interface PolicyRoutesContext {
  scaling: Pick<Scaling, 'effective' | 'policyOf'> & {
    readonly policies: Pick<PolicySet, 'problems' | 'stored' | 'put' | 'remove'>;
  };
  audit: Pick<Audit, 'record'>;
}

export function policyRoutes(app: OpenAPIHono, { scaling, audit }: PolicyRoutesContext): void {
  const { policies: set } = scaling;
  const view = (effective: EffectivePolicy): z.infer<typeof effectiveSchema> => {
    const { policy, origins } = effective;
    const { name, service, minReplicas, maxReplicas, intervalMs } = policy;
    const document =
      origins.policy === 'database'
        ? (set.stored().find((each) => each.name === name)?.document ?? null)
        : null;
    return {
      name,
      service,
      origins,
      minReplicas,
      maxReplicas,
      intervalMs,
      metrics: policy.metrics.map((metric) => metric.name),
      policy,
      document,
    };
  };
  app.openapi(policies, (c) => {
    const { cursor, limit } = c.req.valid('query');
    // By service: several may share a policy.
    const page = pageItems(scaling.effective(), ({ policy }) => policy.service, cursor, limit);
    return c.json({ ...page, items: page.items.map(view), problems: set.problems() }, 200);
  });
  app.openapi(put, async (c) => {
    const { name } = c.req.valid('param');
    const document = { name, ...c.req.valid('json') };
    if (document.name !== name) {
      throw new BerthError(
        'request.invalid',
        `the policy is called ${JSON.stringify(document.name)}, the path says ${name}`,
      );
    }
    const service = policySchema.safeParse(document).data?.service ?? name;
    const { by } = c.req.valid('query');
    const effective = await set.put(document, by);
    audit.record({
      event: 'policy.written',
      actor: by,
      service,
      policy: name,
      reason: 'written over the API',
      outcome: 'ok',
      details: withoutSecrets(document) as object,
    });
    if (effective === undefined)
      throw new BerthError(
        'policy.conflict',
        `policy ${name} is stored, but not in force: ${set.problems().join('; ')}`,
      );
    return c.json(view(scaling.policyOf(service) ?? effective), 200);
  });
  app.openapi(remove, async (c) => {
    const { name } = c.req.valid('param');
    if (!(await set.remove(name)))
      throw new BerthError('not-found', `there is no policy ${name} in the database`);
    audit.record({
      event: 'policy.deleted',
      actor: c.req.valid('query').by,
      policy: name,
      reason: 'deleted over the API',
      outcome: 'ok',
    });
    return c.body(null, 204);
  });
}

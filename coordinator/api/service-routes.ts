// Services: what there is, what is wanted and why; scaling by hand, pausing, and the decisions of policies.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { parseDuration } from '../../shared/duration.ts';
import { BerthError } from '../../shared/errors.ts';
import type { Acting } from '../services/acting.ts';
import type { Evaluation } from '../services/decision-log.ts';
import type { Scaling } from '../services/scaling.ts';
import { isActive } from '../services/service-instance.ts';
import { newService, type ServiceState } from '../services/service-state.ts';
import type { ApiContext } from './api-context.ts';
import { pageItems } from './page.ts';
import { ok, problems } from './responses.ts';
import { bySchema, cursorQuery, limitQuery, pageOf, spanSchema } from './schemas.ts';
import { decisionSchema, serviceSchema, viewDecision, viewPlan, viewService } from './service-views.ts';

export interface ServiceRoutesContext extends ApiContext {
  acting: Acting;
  scaling: Scaling;
}

const span = spanSchema.openapi({
  description: 'How long this holds, such as 30m; without it, until it is taken back',
});

const nameParam = z.object({ name: z.string().min(1).max(253) });

const services = createRoute({
  method: 'get',
  path: '/api/v1/services',
  summary: 'Every service, with what is wanted, why, and its instances',
  tags: ['services'],
  request: { query: z.object({ cursor: cursorQuery, limit: limitQuery(1000) }) },
  responses: { 200: ok('Services', pageOf(serviceSchema)), ...problems(400) },
});

const service = createRoute({
  method: 'get',
  path: '/api/v1/services/{name}',
  summary: 'One service',
  tags: ['services'],
  request: { params: nameParam },
  responses: { 200: ok('The service', serviceSchema), ...problems(404) },
});

const scale = createRoute({
  method: 'post',
  path: '/api/v1/services/{name}/scale',
  summary: 'Set the number of instances by hand, for a time or until it is taken back',
  tags: ['services'],
  request: {
    params: nameParam,
    body: {
      content: {
        'application/json': {
          schema: z.strictObject({
            replicas: z
              .int()
              .min(0)
              .max(10_000)
              .nullable()
              .openapi({ description: 'null: take the word back' }),
            for: span.optional(),
            by: bySchema,
            dryRun: z
              .boolean()
              .default(false)
              .openapi({ description: 'Change nothing, and answer with the plan that there would be' }),
          }),
        },
      },
    },
  },
  responses: {
    200: ok('A dry run: the service as it is, with what would be wanted and planned', serviceSchema),
    202: ok('The service; instances come and go as the plan says', serviceSchema),
    ...problems(400, 404, 409, 413, 415),
  },
});

const pause = createRoute({
  method: 'post',
  path: '/api/v1/services/{name}/pause',
  summary: 'Hold the number: not down (in), not up (out), or neither (both)',
  tags: ['services'],
  request: {
    params: nameParam,
    body: {
      content: {
        'application/json': {
          schema: z.strictObject({
            mode: z.enum(['in', 'out', 'both']).default('both'),
            for: span.optional(),
            by: bySchema,
          }),
        },
      },
    },
  },
  responses: { 200: ok('The service', serviceSchema), ...problems(400, 404, 413, 415) },
});

const resume = createRoute({
  method: 'post',
  path: '/api/v1/services/{name}/resume',
  summary: 'End a pause, and a number that was set by hand',
  tags: ['services'],
  request: { params: nameParam, query: z.object({ by: bySchema }) },
  responses: { 200: ok('The service', serviceSchema), ...problems(400, 404) },
});

const decisions = createRoute({
  method: 'get',
  path: '/api/v1/decisions',
  summary:
    'The last evaluation of each policy, or, of one service, those that changed something, newest first',
  tags: ['services'],
  request: {
    query: z.object({
      service: z.string().min(1).max(253).optional(),
      cursor: cursorQuery,
      limit: limitQuery(100),
    }),
  },
  responses: { 200: ok('Decisions', pageOf(decisionSchema)), ...problems(400) },
});

export function serviceRoutes(app: OpenAPIHono, context: ServiceRoutesContext): void {
  const { acting, scaling, audit, clock } = context;
  const find = (name: string): ServiceState => {
    const state = acting.services.get(name);
    if (state !== undefined) return state;
    if (acting.loop.instances().has(name) || scaling.policyOf(name) !== undefined) return newService(name);
    throw new BerthError('not-found', `there is no service ${name}`, {
      hint: 'a service is known once one of its instances, with an agent or labels, was seen',
    });
  };
  const view = (state: ServiceState) => viewService(state, acting, scaling);
  const until = (text: string | undefined) =>
    text === undefined ? null : clock.wall() + (parseDuration(text) ?? 0);
  const record = (
    event: string,
    by: string,
    name: string,
    reason: string,
    size?: { from: number; to: number },
  ) => {
    audit.record({ event, actor: by, service: name, reason, outcome: 'ok', ...size });
  };

  app.openapi(services, (c) => {
    const { cursor, limit } = c.req.valid('query');
    const names = new Set([
      ...acting.services.list().map((state) => state.service),
      ...acting.loop.instances().keys(),
    ]);
    const { items, ...rest } = pageItems([...names].sort(), (name) => name, cursor, limit);
    return c.json({ items: items.map((name) => view(find(name))), ...rest }, 200);
  });
  app.openapi(service, (c) => c.json(view(find(c.req.valid('param').name)), 200));
  app.openapi(scale, async (c) => {
    const { name } = c.req.valid('param');
    const { replicas, for: time, by, dryRun } = c.req.valid('json');
    const state = find(name);
    if (dryRun) {
      const wanted = replicas ?? state.wanted;
      const steps = wanted === null ? [] : await acting.loop.preview(state, wanted, c.req.raw.signal);
      return c.json({ ...view(state), wanted, plan: viewPlan(steps) }, 200);
    }
    if (replicas === null) {
      const next = acting.services.change(name, { override: null });
      record('scale.released', by, name, 'the number that was set by hand was taken back');
      await acting.save();
      return c.json(view(next), 202);
    }
    const active = (acting.loop.instances().get(name) ?? []).filter(isActive).length;
    if (state.spec === null && replicas > active) {
      throw new BerthError(
        'docker.not-cloneable',
        `${name} cannot grow: no instance of it has been seen healthy, so there is nothing to clone`,
        {
          hint: 'start one instance by hand and wait until it serves',
        },
      );
    }
    const end = until(time);
    // Where neither a policy nor a label says how many, the number itself is changed, and there is nothing to go back to.
    const stays = scaling.policyOf(name) === undefined && !acting.isLabelled(state) && end === null;
    const next = acting.services.change(
      name,
      stays
        ? { wanted: replicas, wantedBy: by, wantedReason: 'set by hand', override: null }
        : { override: { replicas, until: end, by }, wanted: state.wanted ?? active },
    );
    const before = state.override?.replicas ?? state.wanted ?? active;
    const reason = `set by hand${time === undefined ? '' : ` for ${time}`}`;
    record('scale.set', by, name, reason, { from: before, to: replicas });
    await acting.save();
    return c.json(view(next), 202);
  });
  app.openapi(pause, async (c) => {
    const { name } = c.req.valid('param');
    const { mode, for: time, by } = c.req.valid('json');
    find(name);
    const next = acting.services.change(name, { pause: { mode, until: until(time), by } });
    record('scale.paused', by, name, `${mode}${time === undefined ? '' : ` for ${time}`}`);
    await acting.save();
    return c.json(view(next), 200);
  });
  app.openapi(resume, async (c) => {
    const { name } = c.req.valid('param');
    find(name);
    const next = acting.services.change(name, { pause: null, override: null });
    record('scale.resumed', c.req.valid('query').by, name, 'pause and override ended');
    await acting.save();
    return c.json(view(next), 200);
  });
  app.openapi(decisions, (c) => {
    const { service: name, cursor, limit } = c.req.valid('query');
    const found =
      name === undefined
        ? scaling.decisions.services().flatMap((each) => scaling.decisions.last(each) ?? [])
        : ofService(name);
    const { items, ...rest } = pageItems(
      found,
      // The last one of each service changes its time between two pages. Those of one service: the newest first.
      ({ record: { service: of }, at }) => (name === undefined ? of : String(at)),
      cursor,
      limit,
      name !== undefined,
    );
    return c.json({ items: items.map(viewDecision), ...rest }, 200);

    function ofService(of: string): Evaluation[] {
      const changes = scaling.decisions.changes(of);
      const last = scaling.decisions.last(of);
      return last === undefined || changes[0] === last ? [...changes] : [last, ...changes];
    }
  });
}

import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { BerthError } from '../../shared/errors.ts';
import { phaseSchema } from '../../shared/protocol.ts';
import type { AgentRecord } from '../agents/agent-record.ts';
import { pageItems } from './page.ts';
import { ok, problems } from './responses.ts';
import { agentSchema, bySchema, cursorQuery, limitQuery, pageOf } from './schemas.ts';
import type { ServiceRoutesContext } from './service-routes.ts';
import { viewAgent } from './views.ts';

const id = z
  .string()
  .min(1)
  .max(253)
  .openapi({ param: { name: 'id', in: 'path' } });

const agents = createRoute({
  method: 'get',
  path: '/api/v1/agents',
  summary: 'Every agent that is known, connected or not, and what stands for containers with labels only',
  tags: ['agents'],
  request: {
    query: z.object({
      service: z.string().min(1).max(253).optional(),
      phase: z.enum(phaseSchema.options).optional(),
      connected: z.enum(['true', 'false']).optional(),
      cursor: cursorQuery,
      limit: limitQuery(1000),
    }),
  },
  responses: { 200: ok('Agents', pageOf(agentSchema)), ...problems(400) },
});

const agent = createRoute({
  method: 'get',
  path: '/api/v1/agents/{id}',
  summary: 'One agent',
  tags: ['agents'],
  request: { params: z.object({ id }) },
  responses: { 200: ok('The agent', agentSchema), ...problems(400, 404) },
});

const drain = createRoute({
  method: 'post',
  path: '/api/v1/agents/{id}/drain',
  summary: 'Tell an agent to leave traffic, or to come back; without an agent, the coordinator does it',
  tags: ['agents'],
  request: {
    params: z.object({ id }),
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.object({
            drain: z.boolean().default(true).openapi({ description: 'false: come back' }),
            reason: z.string().min(1).max(1000),
            by: bySchema,
          }),
        },
      },
    },
  },
  responses: {
    202: ok('The agent was told; its phase shows when it has done so', agentSchema),
    ...problems(400, 404, 409, 413, 415),
  },
});

export function agentRoutes(app: OpenAPIHono, context: ServiceRoutesContext): void {
  const { registry, acting, clock, audit } = context;
  const find = (wanted: string): AgentRecord => {
    // Also what stands for a container that has labels only: the coordinator drains it itself.
    const record = acting.agents.list().find(({ id: known }) => known === wanted);
    if (record === undefined) throw new BerthError('not-found', `there is no agent ${wanted}`);
    return record;
  };
  app.openapi(agents, (c) => {
    const { service, phase, connected, cursor, limit } = c.req.valid('query');
    const found = acting.agents
      .list()
      .filter((record) => service === undefined || record.service === service)
      .filter((record) => phase === undefined || record.phase === phase)
      .filter((record) => connected === undefined || record.connected === (connected === 'true'));
    const { items, ...rest } = pageItems(found, (record) => record.id, cursor, limit);
    return c.json({ items: items.map((record) => viewAgent(record, clock.monotonic())), ...rest }, 200);
  });
  app.openapi(agent, (c) => c.json(viewAgent(find(c.req.valid('param').id), clock.monotonic()), 200));
  app.openapi(drain, async (c) => {
    const record = find(c.req.valid('param').id);
    const { drain: leave, reason, by } = c.req.valid('json');
    const { id: agentId, service, container, hostname: host } = record;
    const note = (event: string, outcome: 'ok' | 'held', why = '') =>
      audit.record({
        event,
        actor: by,
        reason: `${reason}${why}`,
        outcome,
        agent: agentId,
        service,
        container,
        host,
      });
    const refused =
      leave && container !== undefined && service !== undefined
        ? acting.budgetAgainst(service, container)
        : undefined;
    if (refused !== undefined) {
      const { why, policy } = refused;
      note('agent.drain-requested', 'held', `; ${why}`);
      throw new BerthError('budget.exhausted', `${why}, says the budget of policy ${policy}`, {
        hint: 'scale the service up first, or change the budget in its policy',
      });
    }
    const told = acting.agents.attends(record.id) || registry.drain(record.id, leave, reason);
    // One that an operator has drained and then stopped has no session, and must be given back all the same.
    const isGivenBack = !leave && container !== undefined && acting.isLeftToOperator(container);
    if (!told && !isGivenBack) {
      throw new BerthError('agent.not-connected', `agent ${record.id} has no session`, {
        hint: 'it can be told when it is connected again',
      });
    }
    if (container !== undefined && service !== undefined)
      await acting.leaveToOperator(service, container, leave);
    if (acting.agents.attends(record.id)) acting.agents.drain(record.id, leave, reason);
    const event = leave ? 'agent.drain-requested' : 'agent.return-requested';
    note(event, 'ok');
    return c.json(viewAgent(find(agentId), clock.monotonic()), 202);
  });
}

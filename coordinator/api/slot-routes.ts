import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { SlotView } from '../slots/slot-view.ts';
import type { ApiContext } from './api-context.ts';
import { pageItems } from './page.ts';
import { ok, problems } from './responses.ts';
import { cursorQuery, haproxySchema, limitQuery, pageOf, slotSchema } from './schemas.ts';

const name = z.string().min(1).max(253).optional();
const filterSchema = z.object({
  haproxy: name,
  backend: name,
  service: name,
  agent: name,
  state: slotSchema.shape.state.optional(),
});

const slots = createRoute({
  method: 'get',
  path: '/api/v1/slots',
  summary: 'Every slot of every HAProxy, as last seen',
  tags: ['slots'],
  request: { query: filterSchema.extend({ cursor: cursorQuery, limit: limitQuery(1000) }) },
  responses: { 200: ok('Slots', pageOf(slotSchema)), ...problems(400) },
});

const haproxys = createRoute({
  method: 'get',
  path: '/api/v1/haproxys',
  summary: 'Every HAProxy, as last seen',
  tags: ['slots'],
  request: { query: z.object({ cursor: cursorQuery, limit: limitQuery(1000) }) },
  responses: { 200: ok('HAProxys', pageOf(haproxySchema)), ...problems(400) },
});

export function slotRoutes(app: OpenAPIHono, context: ApiContext): void {
  app.openapi(slots, (c) => {
    const { cursor, limit, ...filter } = c.req.valid('query');
    const found = context.slots.slots().filter((slot) => matches(slot, filter));
    return c.json(
      pageItems(found, (slot) => `${slot.haproxy} ${slot.backend}/${slot.slot}`, cursor, limit),
      200,
    );
  });
  app.openapi(haproxys, (c) => {
    const { cursor, limit } = c.req.valid('query');
    return c.json(
      pageItems(context.slots.haproxys(), (haproxy) => haproxy.name, cursor, limit),
      200,
    );
  });
}

function matches(slot: SlotView, filter: z.infer<typeof filterSchema>): boolean {
  const { haproxy, backend, service, agent, state } = filter;
  return (
    (haproxy === undefined || slot.haproxy === haproxy) &&
    (backend === undefined || slot.backend === backend) &&
    (service === undefined || slot.service === service) &&
    (agent === undefined || slot.agent === agent) &&
    (state === undefined || slot.state === state)
  );
}

// The nine actions of ElastAlert documents (REQUIREMENTS 49, 58, 59), as data: what is asked for, and whom it must name.

export type Direction = 'up' | 'down';

/**
 * `scale`: another size of the service. `node`: the same, by cloning or removing the container that raised the alert.
 * `availability`: look after this service or container now. `named`: nothing by itself, a policy gives the name a meaning.
 */
export type Ask =
  | { kind: 'scale'; direction: Direction }
  | { kind: 'node'; direction: Direction }
  | { kind: 'availability' }
  | { kind: 'named' };

/** `any`: a service, a container or a HAProxy backend. */
export type Target = 'any' | 'service' | 'container' | 'backend';

export const actions = {
  service_availability: { ask: { kind: 'availability' }, target: 'any' },
  scale_up: { ask: { kind: 'scale', direction: 'up' }, target: 'any' },
  scale_down: { ask: { kind: 'scale', direction: 'down' }, target: 'any' },
  scale_up_node: { ask: { kind: 'node', direction: 'up' }, target: 'container' },
  scale_down_node: { ask: { kind: 'node', direction: 'down' }, target: 'container' },
  scale_up_service: { ask: { kind: 'scale', direction: 'up' }, target: 'service' },
  scale_down_service: { ask: { kind: 'scale', direction: 'down' }, target: 'service' },
  haproxy_scale_up: { ask: { kind: 'scale', direction: 'up' }, target: 'backend' },
  haproxy_scale_down: { ask: { kind: 'scale', direction: 'down' }, target: 'backend' },
} as const satisfies Record<string, { ask: Ask; target: Target }>;

export type Action = keyof typeof actions;

export const actionNames = Object.keys(actions) as Action[];

export function isAction(text: string): text is Action {
  return Object.hasOwn(actions, text);
}

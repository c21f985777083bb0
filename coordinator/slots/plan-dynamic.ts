// What is planned for servers that agents add (dynamic mode) and not for slots of a template: one that is gone is made
// again, one that was given back and is still there is deleted. All else is planned as for slots. Pure.
import { dynamicApp } from '../../shared/haproxy/dynamic-servers.ts';
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import type { AppAddress, Slots } from '../../shared/haproxy/slots.ts';
import { addressKey, nameOf, type SlotAgent } from './slot-world.ts';
import type { SlotStep } from './step.ts';

type Free = ReadonlyMap<Slots, Set<ServerRow>>;

/**
 * The server of an instance that had one and has none now; `own` is the row of its name. An agent that has had none yet
 * is at it itself.
 */
export function planAddition(
  { record, registration }: SlotAgent,
  app: AppAddress,
  own: ServerRow | undefined,
  restarted: boolean,
  free: Free,
): SlotStep[] {
  const { backend, slot: name, dynamic: parameters } = registration;
  const meant = name === undefined ? undefined : dynamicApp(name);
  if (backend === undefined || name === undefined || parameters === undefined || meant === undefined)
    return [];
  if (addressKey(meant) !== addressKey(app)) return [];
  // The agent is still waiting for HAProxy's own check.
  const state = registration.state === 'drain' ? 'drain' : 'ready';
  const reason = restarted ? 'HAProxy restarted' : 'the instance had lost its server';
  const slot = { backend, name };
  const as = { agent: record.id, slot, app, state, reason, urgent: restarted } as const;
  if (own === undefined) return [{ ...as, kind: 'add', parameters }];
  const isFree = [...free.values()].some((rows) => rows.delete(own));
  return isFree ? [{ ...as, kind: 'assign', instead: undefined }] : [];
}

export function planDeletions(free: Free): SlotStep[] {
  const left = [...free].flatMap(([slots, rows]) => ('dynamic' in slots ? [...rows] : []));
  return left.map((row) => ({
    kind: 'delete',
    slot: nameOf(row),
    agent: undefined,
    reason: 'it was given back, and HAProxy did not let it go then',
    urgent: false,
  }));
}

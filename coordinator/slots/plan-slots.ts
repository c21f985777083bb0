// Compares the slots of one HAProxy with what they should be and returns the difference as steps. Pure.
//
// What should be: every live agent that is ready has exactly one ready slot; one that is unready or draining has its
// slot in drain; no slot takes traffic for an address that is nobody's. Who is live is told by heartbeats; what becomes
// of the slots of others is decided in plan-orphans.ts.
//
// A slot that holds an unknown address is not written over: it may be the slot of an agent that works without this
// coordinator. Only what is known to be nobody's is: what somebody wrote over a live agent's address, and what HAProxy
// restored by half.
import { isLastInTraffic } from '../../shared/haproxy/last-in-traffic.ts';
import { staleLocks } from '../../shared/haproxy/lock.ts';
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import {
  type AppAddress,
  chooseSlots,
  freeSlots,
  isDraining,
  isEnabled,
  isInMaintenance,
  isLoopback,
  misdirectedSlots,
  type Slots,
  type SlotTemplate,
  slotNumber,
  slotsOf,
} from '../../shared/haproxy/slots.ts';
import type { RegistrationReport } from '../../shared/protocol.ts';
import { planAddition, planDeletions } from './plan-dynamic.ts';
import { planOrphans } from './plan-orphans.ts';
import {
  type AppIndex,
  addressKey,
  appOf,
  indexApps,
  nameOf,
  type SlotAgent,
  type SlotWorld,
  slotKey,
} from './slot-world.ts';
import type { SlotStep } from './step.ts';

/** What the parts of one planning share. Rows leave `free` and `wrong`, and enter `settled`, as they are dealt with. */
interface Planning {
  world: SlotWorld;
  apps: AppIndex;
  bySlot: ReadonlyMap<string, ServerRow>;
  free: ReadonlyMap<Slots, Set<ServerRow>>;
  /** Slots with an address that is certainly nobody's, and why. */
  wrong: Map<ServerRow, string>;
  settled: Set<ServerRow>;
  /** Slots that connected agents had or have. */
  named: ReadonlySet<string>;
  /** Slots that are about to leave traffic. */
  leaving: Set<ServerRow>;
}

export function planSlots(world: SlotWorld): SlotStep[] {
  const apps = indexApps(world.agents);
  const managed = world.templates.map((template) => ({ template, slots: slotsOf(world.rows, template) }));
  const slots = managed.flatMap(({ slots: rows }) => rows);
  // An app on loopback may look like a placeholder when its slot is in maintenance; its owner is known here.
  const free = new Map(
    managed.map(({ template, slots: rows }) => [
      template,
      new Set(freeSlots(rows).filter((row) => !apps.has(addressKey(row)))),
    ]),
  );
  const owned = slots.filter((row) => ![...free.values()].some((rows) => rows.has(row)));
  const bySlot = new Map(slots.map((row) => [slotKey(row), row]));
  const connected = world.agents.filter(({ record }) => record.connected);
  const named = new Set(connected.map(({ registration: { backend, slot } }) => `${backend}/${slot}`));
  const planning: Planning = {
    world,
    apps,
    bySlot,
    free,
    wrong: new Map(),
    settled: new Set(),
    named,
    leaving: new Set(),
  };

  const steps = planMutes(
    managed.flatMap(({ slots: rows }) => misdirectedSlots(rows)),
    planning,
  );
  noteOverwritten(owned, planning);
  const byAddress = Map.groupBy(slots, addressKey);
  for (const agent of world.agents) {
    const app = appOf(agent.registration);
    // Of several agents with one address, one is the app's.
    if (!agent.record.connected || app === undefined || apps.get(addressKey(app)) !== agent) continue;
    const mine = byAddress.get(addressKey(app)) ?? [];
    for (const row of mine) planning.settled.add(row);
    steps.push(...planAgent(agent, app, mine, planning));
  }
  for (const [row, reason] of planning.wrong) {
    steps.push({
      kind: 'release',
      slot: nameOf(row),
      agent: undefined,
      app: addressOf(row),
      reason,
      urgent: false,
    });
    planning.settled.add(row);
  }
  steps.push(...planDeletions(planning.free));
  const locks = staleLocks(world.rows);
  const orphans = owned.filter((row) => !planning.settled.has(row));
  steps.push(...planOrphans(orphans, owned.length, locks, world, apps));
  for (const row of locks) {
    const reason = `its holder died ${row.secondsSinceChange} s ago`;
    steps.push({ kind: 'break-lock', slot: nameOf(row), agent: undefined, reason, urgent: true });
  }
  return steps;
}

/** Slots that take traffic for what cannot be an app's address. */
function planMutes(
  misdirected: readonly ServerRow[],
  { world, apps, bySlot, wrong, settled }: Planning,
): SlotStep[] {
  const mutes = new Map<ServerRow, string>();
  for (const row of misdirected) {
    if (!apps.has(addressKey(row))) mutes.set(row, 'it took traffic for a placeholder address');
  }
  // A state file restores port and state but not the address where the template is an IP literal.
  for (const { registration } of world.agents) {
    const row = bySlot.get(`${registration.backend}/${registration.slot}`);
    const app = appOf(registration);
    if (row === undefined || app === undefined || isInMaintenance(row) || apps.has(addressKey(row))) continue;
    if (isLoopback(app.address) || !isLoopback(row.address) || row.port !== app.port) continue;
    mutes.set(row, 'HAProxy restored its port but not its address');
    wrong.set(row, 'HAProxy restored its port but not its address');
  }
  return [...mutes].map(([row, reason]) => {
    settled.add(row);
    return { kind: 'mute', slot: nameOf(row), agent: undefined, reason, urgent: true };
  });
}

/** Finds what somebody wrote over the address of an agent that is alive. What is in maintenance is left to them. */
function noteOverwritten(owned: readonly ServerRow[], { world, apps, wrong, settled }: Planning): void {
  for (const row of owned) {
    const last = world.lastOwners.get(slotKey(row));
    if (last === undefined || last === addressKey(row) || apps.has(addressKey(row))) continue;
    if (isInMaintenance(row) || settled.has(row) || apps.get(last)?.record.connected !== true) continue;
    wrong.set(row, `somebody wrote ${addressKey(row)} over ${last}`);
  }
}

function planAgent(
  agent: SlotAgent,
  app: AppAddress,
  mine: readonly ServerRow[],
  planning: Planning,
): SlotStep[] {
  const { world } = planning;
  const { record, registration } = agent;
  const { backend, slot: named } = registration;
  const candidates = backend === undefined ? mine : mine.filter((row) => row.backend === backend);
  const keep = candidates.find((row) => row.name === named) ?? candidates.find(isEnabled) ?? candidates[0];
  const steps: SlotStep[] = mine
    .filter((row) => row !== keep)
    .map((row) => ({
      kind: 'release',
      slot: nameOf(row),
      agent: record.id,
      app,
      reason: 'it is not the slot of the instance that has this address',
      urgent: world.restarted,
    }));
  if (record.phase === 'starting' || record.phase === 'stopping') return steps;
  if (keep !== undefined) {
    const state = planState(agent, app, keep, planning);
    if (state.some((step) => step.kind === 'set-state' && step.state === 'drain')) planning.leaving.add(keep);
    return [...steps, ...state];
  }
  return record.phase === 'ready' ? [...steps, ...planAssignment(agent, app, planning)] : steps;
}

/** The address is right; what about the state? */
function planState(
  agent: SlotAgent,
  app: AppAddress,
  row: ServerRow,
  { world, leaving }: Planning,
): SlotStep[] {
  const { restarted } = world;
  const { record, registration } = agent;
  const as = { slot: nameOf(row), agent: record.id };
  if (record.phase !== 'ready') {
    if (!isEnabled(row)) return [];
    if (record.phase === 'unready' && isLastInTraffic(world.rows, row, leaving)) return [];
    const reason = `the instance is ${record.phase}`;
    return [{ kind: 'set-state', ...as, app, state: 'drain', reason, urgent: restarted }];
  }
  // The agent says what it wrote last. If that is not what is there, a restart has brought it back, or somebody did it.
  if (isEnabled(row)) return [];
  // A container without an agent: nobody but the coordinator writes its state.
  if (registration.state === 'none' && registration.dynamic === undefined)
    return [{ kind: 'set-state', ...as, app, state: 'ready', reason: 'the app answers', urgent: restarted }];
  if (registration.state !== 'ready') return [];
  if (restarted)
    return [{ kind: 'set-state', ...as, app, state: 'ready', reason: 'HAProxy restarted', urgent: true }];
  const state = isDraining(row) ? 'drain' : 'maintenance';
  return [{ kind: 'hold', ...as, reason: `an operator set it to ${state}`, urgent: false }];
}

/** A slot for an agent that has none: its own if that is free or holds what is nobody's, else a free one. */
function planAssignment(agent: SlotAgent, app: AppAddress, planning: Planning): SlotStep[] {
  const { world, bySlot, free, wrong } = planning;
  const { record, registration } = agent;
  const as = { kind: 'assign', agent: record.id, app, state: 'ready', urgent: world.restarted } as const;
  const own = bySlot.get(`${registration.backend}/${registration.slot}`);
  const why = own === undefined ? undefined : wrong.get(own);
  if (own !== undefined && why !== undefined) {
    wrong.delete(own);
    planning.settled.add(own);
    return [{ ...as, slot: nameOf(own), instead: addressOf(own), reason: why }];
  }
  if (registration.dynamic !== undefined) return planAddition(agent, app, own, world.restarted, free);
  const template = templateFor(registration, world.templates);
  const open = template === undefined ? undefined : free.get(template);
  if (open === undefined) return [];
  const chosen = own !== undefined && open.has(own) ? own : chooseOpen(agent, open, planning);
  if (chosen === undefined) return [];
  open.delete(chosen);
  const reason = world.restarted ? 'HAProxy restarted' : 'the instance had lost its slot';
  return [{ ...as, slot: nameOf(chosen), instead: undefined, reason }];
}

/** A free slot, if there is one not the very one that another agent is to get back. */
function chooseOpen({ record }: SlotAgent, open: ReadonlySet<ServerRow>, { named }: Planning) {
  const others = [...open].filter((row) => !named.has(slotKey(row)));
  return chooseSlots(others.length > 0 ? others : [...open], record.id, undefined)[0];
}

/** The template that an agent's slot is or would be of; undefined when that is not certain. */
function templateFor(
  { backend, slot }: RegistrationReport,
  slots: readonly Slots[],
): SlotTemplate | undefined {
  const templates = slots.filter((each): each is SlotTemplate => !('dynamic' in each));
  const candidates = templates.filter((template) => backend === undefined || template.backend === backend);
  const named = candidates.find(({ prefix }) => slot !== undefined && slotNumber(slot, prefix) !== undefined);
  return named ?? (candidates.length === 1 ? candidates[0] : undefined);
}

const addressOf = ({ address, port }: ServerRow): AppAddress => ({ address, port });

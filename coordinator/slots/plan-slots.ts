// Compares the slots of one HAProxy with what they should be and returns the difference as steps. Pure.
//
// What should be: every live agent that is ready has exactly one ready slot; one that is unready or draining has its
// slot in drain; no slot takes traffic for an address that is nobody's. Who is live is told by heartbeats, but silence
// is not death (row 28): a slot is taken only from an owner who said goodbye, whose container Docker says is gone, or
// who is silent while HAProxy's own checks find nothing there.
import { isIPv4 } from 'node:net';
import type { ServerName } from '../../shared/haproxy/commands.ts';
import { isLockRow, staleLocks } from '../../shared/haproxy/lock.ts';
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import {
  type AppAddress,
  chooseSlots,
  freeSlots,
  isDown,
  isDraining,
  isEnabled,
  isInMaintenance,
  pointsAtHaproxy,
  type SlotTemplate,
  slotsOf,
} from '../../shared/haproxy/slots.ts';
import type { RegistrationReport } from '../../shared/protocol.ts';
import type { AgentRecord } from '../agents/agent-record.ts';
import type { SlotStep } from './step.ts';

export interface SlotWorld {
  rows: readonly ServerRow[];
  /** The templates that Berth looks after in this HAProxy. */
  templates: readonly SlotTemplate[];
  agents: readonly SlotAgent[];
  /** True from the moment a new HAProxy process answers until its slots are as they should be. */
  restarted: boolean;
  /** Monotonic milliseconds. */
  now: number;
  /** Since when this coordinator has been watching; before, silence means nothing. */
  watchingSince: number;
  /** Since when each slot without a known owner has been down, by `backend/name`. */
  downSince: ReadonlyMap<string, number>;
}

/** An agent as one HAProxy sees it. */
export interface SlotAgent {
  record: AgentRecord;
  registration: RegistrationReport;
  /** Docker says that its container is gone or stopped. */
  containerGone: boolean;
}

/** A silent owner known from the database only may still be on its way back for this long after the start. */
export const adoptionMs = 10_000;
/** A slot whose owner was never heard of is taken after being down for this long. */
export const unknownDownMs = 300_000;
/** When more than half of the slots would be taken from silent owners at once, something else is wrong; wait. */
export const massLossMs = 60_000;

export function planSlots(world: SlotWorld): SlotStep[] {
  const managed = world.templates.flatMap((template) => {
    const slots = slotsOf(world.rows, template);
    return [{ template, slots, free: new Set(freeSlots(slots)) }];
  });
  const steps: SlotStep[] = [];
  const settled = new Set<ServerRow>();
  const free = new Map(
    managed.map(({ template, free: rows }) => [template.backend + template.prefix, new Set(rows)]),
  );
  const apps = appIndex(world.agents);
  const slotRows = managed.flatMap(({ slots }) => slots);
  const byAddress = groupByAddress(slotRows);
  const byName = new Map(slotRows.map((row) => [slotKey(row), row]));

  for (const row of slotRows) {
    const why = misdirection(row, byName, world, apps);
    if (why === undefined) continue;
    settled.add(row);
    steps.push({ kind: 'mute', slot: nameOf(row), agent: undefined, reason: why, urgent: true });
  }
  for (const agent of world.agents) {
    const app = appOf(agent.registration);
    if (!agent.record.connected || app === undefined) continue;
    const mine = (byAddress.get(addressKey(app)) ?? []).filter((row) => !settled.has(row));
    for (const row of mine) settled.add(row);
    steps.push(...planAgent(agent, app, mine, { world, byName, free, apps, settled }));
  }
  const owned = slotRows.filter((row) => !managed.some(({ free: rows }) => rows.has(row)));
  const orphans = owned.filter((row) => !settled.has(row));
  steps.push(...planOrphans(orphans, owned.length, world, apps));
  for (const row of staleLocks(world.rows)) {
    steps.push({
      kind: 'break-lock',
      slot: nameOf(row),
      agent: undefined,
      reason: `its holder died ${row.secondsSinceChange} s ago`,
      urgent: true,
    });
  }
  return steps;
}

interface AgentPlanning {
  world: SlotWorld;
  byName: ReadonlyMap<string, ServerRow>;
  free: ReadonlyMap<string, Set<ServerRow>>;
  apps: ReadonlyMap<string, SlotAgent>;
  settled: Set<ServerRow>;
}

function planAgent(
  agent: SlotAgent,
  app: AppAddress,
  mine: readonly ServerRow[],
  planning: AgentPlanning,
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
      reason: 'the instance has another slot',
      urgent: world.restarted,
    }));
  if (record.phase === 'starting' || record.phase === 'stopping') return steps;
  const wanted = record.phase === 'ready' ? 'ready' : 'drain';
  if (keep === undefined) {
    if (wanted === 'ready') steps.push(...planAssignment(agent, app, planning));
    return steps;
  }
  const slot = nameOf(keep);
  const as = { slot, agent: record.id, app };
  if (wanted === 'drain' && isEnabled(keep)) {
    steps.push({
      kind: 'set-state',
      ...as,
      state: 'drain',
      reason: `the instance is ${record.phase}`,
      urgent: world.restarted,
    });
  } else if (wanted === 'ready' && (isInMaintenance(keep) || isDraining(keep))) {
    // The agent says what it wrote last. It did not write this, so somebody did, or a restart brought it back.
    if (world.restarted)
      steps.push({ kind: 'set-state', ...as, state: 'ready', reason: 'HAProxy restarted', urgent: true });
    else if (registration.state === 'ready') {
      const state = isInMaintenance(keep) ? 'maintenance' : 'drain';
      steps.push({
        kind: 'hold',
        slot,
        agent: record.id,
        reason: `an operator set it to ${state}`,
        urgent: false,
      });
    }
  }
  return steps;
}

/** A slot for an agent that has none: its own if that is free or was overwritten with an address of nobody's. */
function planAssignment(agent: SlotAgent, app: AppAddress, planning: AgentPlanning): SlotStep[] {
  const { world, byName, free, apps, settled } = planning;
  const { record, registration } = agent;
  const as = { kind: 'assign', agent: record.id, app, state: 'ready', urgent: world.restarted } as const;
  const reason = world.restarted ? 'HAProxy restarted' : 'the instance had lost its slot';
  const own =
    registration.backend === undefined || registration.slot === undefined
      ? undefined
      : byName.get(`${registration.backend}/${registration.slot}`);
  const template =
    world.templates.find(({ backend }) => backend === registration.backend) ?? onlyOne(world.templates);
  const open = template === undefined ? undefined : free.get(template.backend + template.prefix);
  if (
    own !== undefined &&
    !open?.has(own) &&
    !settled.has(own) &&
    !apps.has(rowKey(own)) &&
    !isInMaintenance(own)
  ) {
    settled.add(own);
    const instead = { address: own.address, port: own.port };
    return [{ ...as, slot: nameOf(own), instead, reason: `somebody wrote ${rowKey(own)} into its slot` }];
  }
  const chosen = open === undefined ? undefined : chooseSlots([...open], record.id, registration.slot)[0];
  if (chosen === undefined) return [];
  open?.delete(chosen);
  return [{ ...as, slot: nameOf(chosen), instead: undefined, reason }];
}

function planOrphans(
  orphans: readonly ServerRow[],
  ownedCount: number,
  world: SlotWorld,
  apps: ReadonlyMap<string, SlotAgent>,
): SlotStep[] {
  const findings = orphans.map((row) => ({ row, finding: findOwner(row, world, apps) }));
  const silent = findings.filter(({ finding }) => finding.death === 'silent').length;
  const massLoss = silent > 2 && silent * 2 > ownedCount;
  return findings.flatMap(({ row, finding }): SlotStep[] => {
    const { death, agent, reason } = finding;
    if (death === undefined) return [];
    const step = { slot: nameOf(row), agent, urgent: world.restarted && death === 'certain' };
    if (death === 'silent' && massLoss && finding.silentMs < massLossMs) {
      return [
        {
          ...step,
          kind: 'hold',
          reason: `${silent} of ${ownedCount} owners are silent at once; waiting`,
          urgent: false,
        },
      ];
    }
    return [{ ...step, kind: 'release', app: { address: row.address, port: row.port }, reason }];
  });
}

interface OwnerFinding {
  agent: string | undefined;
  /** `certain`: goodbye, or Docker says so. `silent`: no heartbeat, and HAProxy finds nothing there. */
  death: 'certain' | 'silent' | undefined;
  silentMs: number;
  reason: string;
}

function findOwner(row: ServerRow, world: SlotWorld, apps: ReadonlyMap<string, SlotAgent>): OwnerFinding {
  const owner = apps.get(rowKey(row));
  if (owner === undefined) {
    const silentMs = world.now - (world.downSince.get(slotKey(row)) ?? world.now);
    const dead = isSlot(row) && isDown(row) && silentMs >= unknownDownMs;
    const reason = `nobody is known at ${rowKey(row)}, and HAProxy has found nothing there for ${Math.round(silentMs / 1000)} s`;
    return { agent: undefined, death: dead ? 'silent' : undefined, silentMs, reason };
  }
  const { record } = owner;
  if (record.goodbyeReason !== undefined) {
    return {
      agent: record.id,
      death: 'certain',
      silentMs: 0,
      reason: `its agent said goodbye: ${record.goodbyeReason}`,
    };
  }
  if (owner.containerGone)
    return {
      agent: record.id,
      death: 'certain',
      silentMs: 0,
      reason: 'Docker says that its container is gone',
    };
  const since = record.lostAt ?? record.lastHeardAt ?? world.watchingSince + adoptionMs;
  const silentMs = world.now - since;
  const dead = silentMs > 0 && isDown(row);
  const reason = `no heartbeat for ${Math.round(silentMs / 1000)} s, and HAProxy finds nothing at ${rowKey(row)}`;
  return { agent: record.id, death: dead ? 'silent' : undefined, silentMs, reason };
}

/** Why a slot takes traffic for an address that cannot be an app's; undefined when it does not. */
function misdirection(
  row: ServerRow,
  byName: ReadonlyMap<string, ServerRow>,
  world: SlotWorld,
  apps: ReadonlyMap<string, SlotAgent>,
): string | undefined {
  if (isInMaintenance(row) || !byName.has(slotKey(row)) || apps.has(rowKey(row))) return undefined;
  if (pointsAtHaproxy(row)) return 'it took traffic for a placeholder address';
  // A state file restores port and state but not the address where the template is an IP literal.
  const owner = world.agents.find(
    ({ registration }) => registration.backend === row.backend && registration.slot === row.name,
  );
  const address = owner?.registration.address;
  const halfRestored =
    address !== undefined &&
    !isLoopback(address) &&
    isLoopback(row.address) &&
    row.port === owner?.registration.port;
  return halfRestored ? 'HAProxy restored its port but not its address' : undefined;
}

/** Made by a template: from a name, or `disabled` in the configuration. A plain `server node1 10.0.0.5:80` is neither. */
const isSlot = (row: ServerRow): boolean => row.templated || (row.adminState & 0x04) !== 0;
const isLoopback = (address: string): boolean =>
  isIPv4(address) ? address.startsWith('127.') : address === '::1';
const nameOf = ({ backend, name }: ServerRow): ServerName => ({ backend, name });
const slotKey = ({ backend, name }: ServerName): string => `${backend}/${name}`;
const addressKey = ({ address, port }: AppAddress): string => `${address}:${port}`;
const rowKey = addressKey;

function appOf({ address, port }: RegistrationReport): AppAddress | undefined {
  return address === undefined ? undefined : { address, port };
}

/** Who has which address. A live agent goes before one that is silent, that before one that said goodbye; of equals the one heard last. */
function appIndex(agents: readonly SlotAgent[]): Map<string, SlotAgent> {
  const index = new Map<string, SlotAgent>();
  for (const agent of agents) {
    const app = appOf(agent.registration);
    if (app === undefined) continue;
    const known = index.get(addressKey(app));
    if (known === undefined || standing(agent) > standing(known)) index.set(addressKey(app), agent);
  }
  return index;
}

function standing({ record }: SlotAgent): number {
  const rank = record.connected ? 2 : record.goodbyeReason === undefined ? 1 : 0;
  return rank * 1e15 + record.lastSeen;
}

function groupByAddress(rows: readonly ServerRow[]): Map<string, ServerRow[]> {
  const groups = new Map<string, ServerRow[]>();
  for (const row of rows) {
    if (isLockRow(row.name)) continue;
    const group = groups.get(rowKey(row));
    if (group === undefined) groups.set(rowKey(row), [row]);
    else group.push(row);
  }
  return groups;
}

function onlyOne<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined;
}

// Slots whose address is no connected agent's: who was it, and is it certain that he is gone? Silence is not death
// (REQUIREMENTS 28): a slot is taken only from an owner who said goodbye, whose container Docker says is gone, who died
// in the middle of a claim, or who is silent while HAProxy's own checks find nothing there. Pure.
import type { ServerName } from '../../shared/haproxy/commands.ts';
import { lockOfAll } from '../../shared/haproxy/lock.ts';
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import { isDown, isEnabled, isInMaintenance, lockFor } from '../../shared/haproxy/slots.ts';
import type { AgentRecord } from '../agents/agent-record.ts';
import { type AppIndex, addressKey, nameOf, type SlotWorld, slotKey } from './slot-world.ts';
import type { SlotStep } from './step.ts';

/** A silent owner known from the database only may still be on its way back for this long after the start. */
export const adoptionMs = 10_000;
/** A slot whose owner was never heard of is taken after being down for this long. */
export const unknownDownMs = 300_000;
/** When more than half of the slots would be taken from silent owners at once, something else is wrong; wait. */
export const massLossMs = 60_000;

interface Finding {
  agent: string | undefined;
  /**
   * `certain`: goodbye, or Docker says so. `abandoned`: a stale lock row says so. `silent`: no heartbeat, and HAProxy
   * finds nothing there.
   */
  verdict: 'certain' | 'abandoned' | 'silent' | 'alive' | 'unknown';
  silentMs: number;
  reason: string;
}

/** `ownedCount` is how many slots are held at all, `locks` are the stale lock rows. */
export function planOrphans(
  orphans: readonly ServerRow[],
  ownedCount: number,
  locks: readonly ServerRow[],
  world: SlotWorld,
  apps: AppIndex,
): SlotStep[] {
  const locked = new Set(locks.map(slotKey));
  const findings = orphans.map((row) => ({ row, finding: findOwner(row, locked, world, apps) }));
  const silent = findings.filter(({ finding }) => finding.verdict === 'silent').length;
  const massLoss = silent > 2 && silent * 2 > ownedCount;
  return findings.flatMap(({ row, finding }): SlotStep[] => {
    const { verdict, agent, silentMs, reason } = finding;
    const step = { slot: nameOf(row), agent, reason };
    const app = { address: row.address, port: row.port };
    switch (verdict) {
      case 'certain':
        return [{ ...step, kind: 'release', app, urgent: world.restarted }];
      case 'abandoned':
        // With its lock row, which is broken in the same round: afterwards nobody could tell any more.
        return [{ ...step, kind: 'release', app, urgent: true }];
      case 'silent':
        if (!massLoss || silentMs >= massLossMs) return [{ ...step, kind: 'release', app, urgent: false }];
        return [
          {
            ...step,
            kind: 'hold',
            reason: `${silent} of ${ownedCount} owners are silent at once; waiting`,
            urgent: false,
          },
        ];
      case 'unknown':
        return [{ ...step, kind: 'hold', urgent: false }];
      case 'alive':
        return [];
      default:
        return verdict satisfies never;
    }
  });
}

function findOwner(row: ServerRow, locked: ReadonlySet<string>, world: SlotWorld, apps: AppIndex): Finding {
  const owner = apps.get(addressKey(row));
  const agent = owner?.record.id;
  const certain = (reason: string): Finding => ({ agent, verdict: 'certain', silentMs: 0, reason });
  const isLocked = (lockOf: (side: boolean) => ServerName) =>
    [false, true].some((side) => locked.has(slotKey(lockOf(side))));
  const isHalfDone =
    isLocked((side) => lockFor(row, side)) ||
    // Of all the slots that were locked at once, only those of the silent can have been half released.
    (owner !== undefined && isLocked((side) => lockOfAll(row.backend, side)));
  if (isHalfDone && isInMaintenance(row)) {
    const reason = 'who was about to change it has died half way';
    return { agent, verdict: 'abandoned', silentMs: 0, reason };
  }
  if (owner === undefined) return findStranger(row, world);
  const { record, container } = owner;
  if (container === 'gone' || record.goodbyeReason !== undefined) {
    if (isSuccessor(row, record, world)) return findStranger(row, world);
    return certain(
      record.goodbyeReason === undefined
        ? 'Docker says that its container is gone'
        : `its agent said goodbye: ${record.goodbyeReason}`,
    );
  }
  const since = record.lostAt ?? record.lastHeardAt ?? world.watchingSince + adoptionMs;
  const silentMs = world.now - since;
  const reason = `no heartbeat for ${Math.round(silentMs / 1000)} s, and HAProxy finds nothing at ${addressKey(row)}`;
  return {
    agent,
    verdict: silentMs > 0 && isDown(row) && container !== 'paused' ? 'silent' : 'alive',
    silentMs,
    reason,
  };
}

/** Nobody is known there: an agent that works without this coordinator, or what somebody wrote by hand. */
function findStranger(row: ServerRow, world: SlotWorld): Finding {
  const silentMs = world.now - (world.downSince.get(slotKey(row)) ?? world.now);
  const at = addressKey(row);
  if (isDown(row) && silentMs >= unknownDownMs) {
    const reason = `nobody is known at ${at}, and HAProxy has found nothing there for ${Math.round(silentMs / 1000)} s`;
    return { agent: undefined, verdict: 'silent', silentMs, reason };
  }
  // Right after the start most owners are still unknown.
  const early = world.now - world.watchingSince < adoptionMs;
  const reason = `nobody is known at ${at}: an agent without this coordinator, or written by hand`;
  return { agent: undefined, verdict: early ? 'alive' : 'unknown', silentMs, reason };
}

/**
 * A slot that has begun to serve after its owner was last heard is another one's, who got the same address from Docker
 * and works without this coordinator.
 */
function isSuccessor(row: ServerRow, { lastHeardAt, lastSeen }: AgentRecord, world: SlotWorld): boolean {
  // Of before this coordinator's start only the wall clock tells.
  const unheardMs = lastHeardAt === undefined ? world.wall - lastSeen : world.now - lastHeardAt;
  return isEnabled(row) && !isDown(row) && row.secondsSinceChange * 1000 < unheardMs;
}

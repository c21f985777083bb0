// Slots and HAProxys as the API, the CLI and the dashboard show them (DESIGN.md, "Contract").
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import {
  freeSlots,
  isDown,
  isEnabled,
  type SlotState,
  type Slots,
  slotState,
  slotsOf,
} from '../../shared/haproxy/slots.ts';
import type { HaproxyPicture } from '../observe/haproxy.ts';
import { addressKey, indexApps, type SlotAgent } from './slot-world.ts';

export interface SlotView {
  haproxy: string;
  backend: string;
  slot: string;
  address: string | null;
  port: number | null;
  state: SlotState;
  agent: string | null;
  container: string | null;
  service: string | null;
}

export interface HaproxyView {
  name: string;
  reachable: boolean;
  error: string | null;
  version: string | null;
  pid: number | null;
  /** ISO 8601. */
  startedAt: string | null;
  uptimeSeconds: number | null;
  slots: number;
  free: number;
  ready: number;
  /** ISO 8601; the last time it answered. */
  observedAt: string | null;
}

export function viewSlots(
  haproxy: string,
  picture: HaproxyPicture,
  templates: readonly Slots[],
  agents: readonly SlotAgent[],
): SlotView[] {
  const owners = indexApps(agents.filter(({ record }) => record.goodbyeReason === undefined));
  return templates.flatMap((template) => {
    const slots = shownSlots(picture, template);
    const free = new Set(freeSlots(slots));
    return slots.map((row): SlotView => {
      const isFree = free.has(row);
      const owner = isFree ? undefined : owners.get(addressKey(row))?.record;
      return {
        haproxy,
        backend: row.backend,
        slot: row.name,
        address: isFree ? null : row.address,
        port: isFree ? null : row.port,
        state: slotState(row, isFree),
        agent: owner?.id ?? null,
        container: owner?.container ?? null,
        service: owner?.service ?? null,
      };
    });
  });
}

/** A server that was given back and waits to be deleted is nobody's, and nobody can have it: not shown. */
function shownSlots({ rows }: HaproxyPicture, wanted: Slots): ServerRow[] {
  const slots = slotsOf(rows, wanted);
  if (!('dynamic' in wanted)) return slots;
  const free = new Set(freeSlots(slots));
  return slots.filter((row) => !free.has(row));
}

export function viewHaproxy(
  name: string,
  error: string | undefined,
  picture: HaproxyPicture | undefined,
  observedAt: number | undefined,
  templates: readonly Slots[],
): HaproxyView {
  const slots = picture === undefined ? [] : templates.flatMap((template) => shownSlots(picture, template));
  const free =
    picture === undefined
      ? 0
      : templates.reduce((sum, template) => sum + freeSlots(shownSlots(picture, template)).length, 0);
  return {
    name,
    reachable: error === undefined && picture !== undefined,
    error: error ?? null,
    version: picture?.info.version ?? null,
    pid: picture?.info.pid ?? null,
    startedAt: picture === undefined ? null : new Date(picture.info.startTime * 1000).toISOString(),
    uptimeSeconds: picture?.info.uptimeSeconds ?? null,
    slots: slots.length,
    free,
    ready: slots.filter((row) => isEnabled(row) && !isDown(row)).length,
    observedAt: observedAt === undefined ? null : new Date(observedAt).toISOString(),
  };
}

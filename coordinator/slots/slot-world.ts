// What planning works on: the slots of one HAProxy and the agents that are registered there. Data only.
import { isServerAddress, plainAddress } from '../../shared/haproxy/address.ts';
import type { ServerName } from '../../shared/haproxy/commands.ts';
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import { type AppAddress, freeAddress, type Slots } from '../../shared/haproxy/slots.ts';
import type { RegistrationReport } from '../../shared/protocol.ts';
import type { AgentRecord } from '../agents/agent-record.ts';

export interface SlotWorld {
  rows: readonly ServerRow[];
  /** The slots that Berth looks after in this HAProxy: of templates, and those that are made as they are needed. */
  templates: readonly Slots[];
  agents: readonly SlotAgent[];
  /** True from the moment a new HAProxy process answers until its slots are as they should be. */
  restarted: boolean;
  /** Monotonic milliseconds, and wall time. */
  now: number;
  wall: number;
  /** Since when this coordinator has been watching; before, silence means nothing. */
  watchingSince: number;
  /** Since when each slot without a known owner has been down, by `backend/name`. */
  downSince: ReadonlyMap<string, number>;
  /**
   * The address of the connected agent whose each slot was when it last was a known one's, by `backend/name`. Only of
   * looks that followed each other without a gap at one process: who holds a slot never changes then without its
   * being free in between, unless somebody writes over it.
   */
  lastOwners: ReadonlyMap<string, string>;
}

/** `paused`: silent because it was paused, and due to come back. */
export type ContainerFate = 'up' | 'paused' | 'gone' | 'unknown';

/** An agent as one HAProxy sees it. */
export interface SlotAgent {
  record: AgentRecord;
  registration: RegistrationReport;
  /** What Docker says of its container; `unknown` where nobody asks Docker, or it does not answer. */
  container: ContainerFate;
}

export const nameOf = ({ backend, name }: ServerName): ServerName => ({ backend, name });
export const slotKey = ({ backend, name }: ServerName): string => `${backend}/${name}`;
export const addressKey = ({ address, port }: AppAddress): string => `${address}:${port}`;

/** Where an agent's app is; undefined while it is not known, or when it is nothing that a server can have. */
export function appOf({ address, port }: RegistrationReport): AppAddress | undefined {
  if (address === undefined || !isServerAddress(address)) return undefined;
  const app = { address: plainAddress(address), port };
  return app.address === freeAddress.address && app.port === freeAddress.port ? undefined : app;
}

export type AppIndex = ReadonlyMap<string, SlotAgent>;

/** Who has which address. A live agent goes before one that is silent, that before one that said goodbye; of equals the one heard last. */
export function indexApps(agents: readonly SlotAgent[]): AppIndex {
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

// Worlds for tests of the planner: a picture with 1,000 s on the clock, watched from the start.
import type { AgentRecord } from '../../coordinator/agents/agent-record.ts';
import type { SlotAgent, SlotWorld } from '../../coordinator/slots/slot-world.ts';
import type { RegistrationReport } from '../../shared/protocol.ts';

export const now = 1_000_000;
export const wall = 1_800_000_000_000;

export interface AgentOptions extends Partial<AgentRecord> {
  registration?: Partial<RegistrationReport>;
  containerIs?: SlotAgent['container'];
}

/** A connected agent that is ready and holds app/<slot>, changed by `options`. */
export function agentAt(address: string, slot: string | undefined, options: AgentOptions = {}): SlotAgent {
  const { registration: reported, containerIs = 'unknown', ...record } = options;
  const registration: RegistrationReport = {
    haproxy: 'lb',
    address,
    port: 80,
    state: slot === undefined ? 'none' : 'ready',
    ...(slot === undefined ? {} : { backend: 'app', slot }),
    ...reported,
  };
  return {
    registration,
    container: containerIs,
    record: {
      id: `agent-${address}`,
      service: 'app',
      container: undefined,
      hostname: undefined,
      connected: true,
      phase: 'ready',
      registrations: [registration],
      metrics: {},
      lastHeardAt: now - 100,
      lostAt: undefined,
      goodbyeReason: undefined,
      firstSeen: wall - 900_000,
      lastSeen: wall - 100,
      ...record,
    },
  };
}

export const silentFor = (ms: number): AgentOptions => ({
  connected: false,
  lostAt: now - ms,
  lastHeardAt: now - ms,
  lastSeen: wall - ms,
});

export function worldOf(world: Partial<SlotWorld>): SlotWorld {
  return {
    rows: [],
    templates: [{ backend: 'app', prefix: 'node', count: 100 }],
    agents: [],
    restarted: false,
    now,
    wall,
    watchingSince: 0,
    downSince: new Map(),
    lastOwners: new Map(),
    ...world,
  };
}

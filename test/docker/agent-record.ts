import type { AgentRecord } from '../../coordinator/agents/agent-record.ts';

/** An agent that is connected and ready, as the registry would have it. */
export function agentRecord(parts: Partial<AgentRecord> & Pick<AgentRecord, 'id'>): AgentRecord {
  return {
    service: undefined,
    container: undefined,
    hostname: undefined,
    connected: true,
    phase: 'ready',
    registrations: [],
    metrics: {},
    lastHeardAt: 0,
    lostAt: undefined,
    goodbyeReason: undefined,
    firstSeen: 0,
    lastSeen: 0,
    ...parts,
  };
}

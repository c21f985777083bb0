// Which agent speaks for which container: by the container's id, which an agent reads from /proc; else by its host
// name, when that is one container's alone.
import type { AgentRecord } from '../../agents/agent-record.ts';

export interface MatchableContainer {
  readonly id: string;
  readonly hostname: string;
}

/** The agents by container id. Of several for one container the connected one counts, then the one that was heard last. */
export function matchAgents(
  containers: readonly MatchableContainer[],
  agents: readonly AgentRecord[],
): ReadonlyMap<string, AgentRecord> {
  const ids = new Set(containers.map(({ id }) => id));
  const byHostname = new Map<string, string | undefined>();
  for (const { id, hostname } of containers)
    byHostname.set(hostname, byHostname.has(hostname) ? undefined : id);
  const matched = new Map<string, AgentRecord>();
  for (const agent of agents) {
    const { container, hostname } = agent;
    const id = container ?? (hostname === undefined ? undefined : byHostname.get(hostname));
    if (id === undefined || !ids.has(id)) continue;
    const other = matched.get(id);
    if (other === undefined || speaksFor(agent, other)) matched.set(id, agent);
  }
  return matched;
}

function speaksFor(agent: AgentRecord, other: AgentRecord): boolean {
  if (agent.connected !== other.connected) return agent.connected;
  return agent.lastSeen > other.lastSeen;
}

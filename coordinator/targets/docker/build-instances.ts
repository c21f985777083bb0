// All instances of one host, from its listing. What has not changed since the last listing stays the same object, so
// that "did anything change?" is a comparison of references.
import { readLabels } from '../../../shared/labels.ts';
import type { AgentRecord } from '../../agents/agent-record.ts';
import type { AgentEnvironment } from './container-details.ts';
import type { Cached } from './details-cache.ts';
import type { ListedContainer } from './engine-schema.ts';
import { formatInstance, type Instance, type InstanceParts, nameOf } from './instance.ts';
import { matchAgents } from './match-agents.ts';

/** An instance (or none) and what it was made from. */
export interface Built {
  readonly parts: InstanceParts;
  readonly instance: Instance | undefined;
}

/** By container id; pure. A container that could not be inspected and has no last details is left out. */
export function buildInstances(
  host: string,
  listed: readonly ListedContainer[],
  details: ReadonlyMap<string, Cached>,
  agents: readonly AgentRecord[],
  before: ReadonlyMap<string, Built>,
): Map<string, Built> {
  const matched = matchAgents(
    [...details].map(([id, { details: known }]) => ({ id, hostname: known.hostname })),
    agents,
  );
  const companions = companionsOf(listed, details);
  const built = new Map<string, Built>();
  for (const container of listed) {
    const cached = details.get(container.Id);
    if (cached === undefined) continue;
    const parts: InstanceParts = {
      host,
      listed: container,
      details: cached.details,
      companion: companions.get(container.Id) ?? companions.get(nameOf(container)),
      agent: matched.get(container.Id),
      isStale: cached.failedAt !== undefined,
    };
    const last = before.get(container.Id);
    built.set(
      container.Id,
      last !== undefined && isSame(last.parts, parts) ? last : { parts, instance: formatInstance(parts) },
    );
  }
  return built;
}

/** By the container that they accompany: what containers that share its network say of an agent. */
function companionsOf(listed: readonly ListedContainer[], details: ReadonlyMap<string, Cached>) {
  const companions = new Map<string, AgentEnvironment>();
  for (const { Id, Labels } of listed) {
    const { agent, accompanies } = details.get(Id)?.details ?? {};
    if (agent === undefined || accompanies === undefined) continue;
    const { service, backend } = readLabels(Labels ?? {}).settings;
    companions.set(accompanies, { service: service ?? agent.service, backend: backend ?? agent.backend });
  }
  return companions;
}

function isSame(a: InstanceParts, b: InstanceParts): boolean {
  return (
    a.details === b.details &&
    a.isStale === b.isStale &&
    a.agent?.id === b.agent?.id &&
    a.agent?.service === b.agent?.service &&
    a.companion?.service === b.companion?.service &&
    a.companion?.backend === b.companion?.backend &&
    isSameListing(a.listed, b.listed)
  );
}

/** The status counts for its health alone: the time in it changes with each look. */
function isSameListing(a: ListedContainer, b: ListedContainer): boolean {
  return (
    a.State === b.State &&
    nameOf(a) === nameOf(b) &&
    a.Status.split('(')[1] === b.Status.split('(')[1] &&
    addressesOf(a) === addressesOf(b)
  );
}

function addressesOf({ NetworkSettings }: ListedContainer): string {
  return Object.entries(NetworkSettings?.Networks ?? {})
    .map(([name, network]) => `${name} ${network.IPAddress} ${network.GlobalIPv6Address}`)
    .join();
}

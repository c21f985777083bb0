// An instance as Docker shows it: one container that belongs to Berth, since it has one of Berth's labels, an
// environment for an agent, or an agent that has registered.

import { isSafeName } from '../../../shared/haproxy/commands.ts';
import {
  composeLabels,
  type LabelProblem,
  type LabelSettings,
  type Labels,
  readLabels,
} from '../../../shared/labels.ts';
import type { AgentRecord } from '../../agents/agent-record.ts';
import {
  type AgentEnvironment,
  type ContainerDetails,
  type InstanceHealth,
  readHealth,
} from './container-details.ts';
import type { ListedContainer } from './engine-schema.ts';

export type InstanceState = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'removing' | 'dead';

export interface InstanceNetwork {
  readonly name: string;
  /** Undefined while it does not run. */
  readonly address: string | undefined;
  readonly aliases: readonly string[];
}

export interface Instance extends Omit<ContainerDetails, 'agent' | 'accompanies' | 'aliases'> {
  /** The container's id. */
  readonly id: string;
  readonly name: string;
  readonly host: string;
  /** Undefined when nothing names it yet: its agent will, when it registers. */
  readonly service: string | undefined;
  readonly state: InstanceState;
  readonly labels: Labels;
  readonly settings: LabelSettings;
  readonly labelProblems: readonly LabelProblem[];
  readonly networks: readonly InstanceNetwork[];
  /** The environment sets up an agent, here or in a container that shares this one's network. */
  readonly hasAgent: boolean;
  /** The id of the agent that has registered from it. */
  readonly agentId: string | undefined;
  readonly protect: boolean;
  /** Made for the warm pool. */
  readonly warm: boolean;
  /** The host, or this container, could not be read: this is how it was. */
  readonly isStale: boolean;
}

export interface InstanceParts {
  readonly host: string;
  readonly listed: ListedContainer;
  readonly details: ContainerDetails;
  /** What a container in its network says of an agent. */
  readonly companion: AgentEnvironment | undefined;
  readonly agent: AgentRecord | undefined;
  readonly isStale: boolean;
}

/** The instance that a container is; undefined when it is none of Berth's. */
export function formatInstance(parts: InstanceParts): Instance | undefined {
  const { host, listed, details, companion, agent, isStale } = parts;
  const { agent: own, accompanies, aliases, ...rest } = details;
  const environment = own ?? companion;
  const labels = listed.Labels ?? {};
  const { settings, problems, isLabelled } = readLabels(labels);
  const isBerths = isLabelled || environment !== undefined || agent !== undefined;
  // A container that brings the agent into another's network is not an instance: the other is.
  if (!isBerths || (accompanies !== undefined && own !== undefined)) return undefined;
  return {
    ...rest,
    id: listed.Id,
    name: nameOf(listed),
    host,
    service: chooseService(settings, environment, agent, labels),
    state: readState(listed.State),
    // A paused container's listing does not show its health.
    health: listed.State === 'paused' ? rest.health : readHealthText(listed.Status),
    labels,
    settings,
    labelProblems: problems,
    networks: Object.entries(listed.NetworkSettings?.Networks ?? {}).map(([name, network]) => ({
      name,
      address: network.IPAddress || network.GlobalIPv6Address || undefined,
      aliases: aliases[name] ?? [],
    })),
    hasAgent: environment !== undefined,
    agentId: agent?.id,
    protect: settings.protect ?? false,
    warm: settings.parked ?? false,
    isStale,
  };
}

/** The name without the slash; a container has one name, and further ones from links of other containers. */
export function nameOf({ Id, Names }: ListedContainer): string {
  const own = Names?.find((name) => name.lastIndexOf('/') === 0) ?? Names?.[0];
  return own?.replace(/^\//, '') ?? Id.slice(0, 12);
}

/**
 * The label, what the agent is told or says, then what the agent would take in the absence of a name: the backend's
 * name. Compose's own label counts for a container without an agent only: an agent may yet say another name.
 */
function chooseService(
  settings: LabelSettings,
  environment: AgentEnvironment | undefined,
  agent: AgentRecord | undefined,
  labels: Labels,
): string | undefined {
  const named = settings.service ?? environment?.service ?? agent?.service;
  const byBackend = named ?? settings.backend ?? environment?.backend;
  if (byBackend !== undefined || environment !== undefined || agent !== undefined) return byBackend;
  const compose = labels[composeLabels.service];
  return compose !== undefined && isSafeName(compose) ? compose : undefined;
}

/** Docker's states, and Podman's that are called otherwise. */
const states: Readonly<Record<string, InstanceState>> = {
  created: 'created',
  running: 'running',
  paused: 'paused',
  restarting: 'restarting',
  exited: 'exited',
  removing: 'removing',
  dead: 'dead',
  configured: 'created',
  initialized: 'created',
  stopping: 'running',
  stopped: 'exited',
};

export const readState = (text: string): InstanceState => states[text] ?? 'dead';

/** Has memory of its host; a paused one has it too. */
export const takesRoom = (state: InstanceState): boolean =>
  state === 'running' || state === 'paused' || state === 'restarting';

/** `Up 3 minutes (health: starting)`, `Up 3 minutes (unhealthy)` */
function readHealthText(status: string): InstanceHealth {
  return readHealth(/\((?:health: )?(\w+)\)$/.exec(status)?.[1]);
}

// How a service is to be acted on: from its policy, its labels, and what is sensible without either. Pure.
import type { LabelSettings } from '../../shared/labels.ts';
import type { InstanceObservation } from '../decide/observation.ts';
import type { Policy } from '../decide/policy.ts';
import { chooseVictims } from '../decide/victims.ts';
import { type NodeWishes, unwantedBy } from './node-wishes.ts';
import type { ServiceInstance } from './service-instance.ts';

const drainDeadlineMs = 60_000;

/** What a policy or a label says of how a service is to be acted on. */
export interface ActRules {
  /** Who goes first when hosts are full: the larger one. */
  priority: number;
  /** Instances kept paused beside the active ones. */
  warm: number;
  /** The policy's; null: none. */
  budget: Policy['budget'];
  drainDeadlineMs: number;
  orderVictims(instances: readonly ServiceInstance[]): readonly ServiceInstance[];
  nodes: NodeWishes;
  /** What the names of new instances are to begin with, as an alert says. */
  naming?: string | undefined;
  /** An alert that asks to look after the service. */
  availabilityAlert?: string | undefined;
}

export interface RuleSources {
  policy: Policy | undefined;
  drain: { deadlineMs: number } | undefined;
  /** The policy's: who goes first when hosts are full. */
  priority: number | undefined;
  labels: readonly LabelSettings[];
  /** What live alerts ask of single containers and of the whole service. */
  alerts: AlertRules;
}

export type AlertRules = Pick<ActRules, 'nodes' | 'naming' | 'availabilityAlert'>;

export function readActRules({ policy, drain, priority, labels, alerts }: RuleSources): ActRules {
  const order = policy?.victims ?? 'youngest';
  return {
    ...alerts,
    priority: priority ?? 0,
    warm: Math.max(0, ...labels.map(({ warm }) => warm ?? 0)),
    budget: policy?.budget ?? null,
    drainDeadlineMs: drain?.deadlineMs ?? drainDeadlineMs,
    orderVictims: (instances) => {
      const byId = new Map(instances.map((instance) => [instance.id, instance]));
      const ids = chooseVictims(instances.map(observationOf), instances.length, order);
      const isUnwanted = (instance: ServiceInstance) => unwantedBy(alerts.nodes, instance) !== undefined;
      const victims = ids.flatMap((id) => byId.get(id) ?? []);
      return victims.toSorted((a, b) => Number(isUnwanted(b)) - Number(isUnwanted(a)));
    },
  };
}

/** An instance as the deciding half sees it. */
export function observationOf(instance: ServiceInstance): InstanceObservation {
  const { id, host, serving, startAgeMs, notServingMs, sessions } = instance;
  // One that fails its container's own check may still get traffic, and is the first that can be spared.
  const isWell = serving && instance.health !== 'unhealthy';
  return {
    id,
    phase: phaseOf(instance),
    ready: instance.phase === undefined && instance.health === 'none' && !serving ? null : isWell,
    startAgeMs,
    readyChangedAgeMs: serving ? startAgeMs : Math.min(notServingMs, startAgeMs ?? notServingMs),
    sessions,
    host,
    protected: instance.protected,
  };
}

function phaseOf({ state, phase, serving }: ServiceInstance): InstanceObservation['phase'] {
  switch (state) {
    case 'created':
      return 'created';
    case 'paused':
      return phase === 'draining' ? 'parked' : 'running';
    case 'running':
      if (phase === 'draining' || phase === 'stopping') return 'draining';
      return phase === 'starting' && !serving ? 'starting' : 'running';
    case 'restarting':
      return 'starting';
    case 'removing':
    case 'exited':
    case 'dead':
      return state;
    default:
      return state satisfies never;
  }
}

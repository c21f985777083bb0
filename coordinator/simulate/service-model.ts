// The simulated service: what one instance can do, how long it takes to start, and where a queue forms.
import type { AdmittedPolicy } from '../policy/normalize.ts';
import type { SourceConfig } from '../policy/source-schema.ts';

export type ServiceModel = {
  /** Load that one instance can serve per second. */
  readonly capacity: number;
  /** Load per second at which one instance is just as busy as the policy wants it. */
  readonly unit: number;
  /** Time that one request takes in an instance. */
  readonly serviceMs: number;
  /** From the decision until a new instance serves. */
  readonly startMs: number;
  /** What waits longer gives up; null: it waits (messages in a broker). */
  readonly queueTimeoutMs: number | null;
};

export type GivenModel = { readonly capacity?: number; readonly startMs?: number };

const serviceMs = 100;
const standardStartMs = 8000;
const standardCapacity = 100;
/** As `timeout queue` in examples/haproxy. */
const queueTimeoutMs = 30_000;
/** An instance at its target does this share of what it can, when nothing else is said. */
const targetShare = 0.8;

const brokers: ReadonlySet<SourceConfig['type']> = new Set(['rabbitmq', 'activemq', 'redis', 'sql']);

/** The service that a policy fits: its first target says how much load one instance should get. */
export function chooseModel({ policy, sources }: AdmittedPolicy, given: GivenModel = {}): ServiceModel {
  const common = {
    serviceMs,
    startMs: given.startMs ?? standardStartMs,
    queueTimeoutMs: Object.values(sources).some(({ type }) => brokers.has(type)) ? null : queueTimeoutMs,
  };
  for (const { name, role, target } of policy.metrics) {
    const source = sources[name];
    if (role !== 'decide') continue;
    if (target.kind === 'utilization') {
      const capacity = given.capacity ?? standardCapacity;
      return { ...common, capacity, unit: (capacity * Math.min(100, target.percent)) / 100 };
    }
    const unit = target.kind === 'averageValue' ? loadFor(target.value, source) : null;
    if (unit !== null) return { ...common, capacity: given.capacity ?? unit / targetShare, unit };
  }
  const capacity = given.capacity ?? standardCapacity;
  return { ...common, capacity, unit: capacity * targetShare };
}

/** The load at which a metric of one instance has this value; null when it tells what waits instead of what comes. */
function loadFor(value: number, source: SourceConfig | undefined): number | null {
  if (source === undefined || isBacklog(source)) return null;
  if (source.type !== 'haproxy') return source.type === 'docker' ? null : value;
  if (source.what === 'sessions') return value / (serviceMs / 1000);
  return source.what === 'requestRate' ? value : null;
}

/** True for sources that tell how much waits. */
export function isBacklog(source: SourceConfig): boolean {
  switch (source.type) {
    case 'haproxy':
      return source.what === 'queue';
    case 'rabbitmq':
      return source.what !== 'publishRate' && source.what !== 'ackRate';
    case 'activemq':
      return source.what !== 'enqueueRate' && source.what !== 'dequeueRate';
    case 'redis':
    case 'sql':
      return true;
    default:
      return false;
  }
}

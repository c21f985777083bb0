// All metrics of a policy: reading, proposal, and what each of them remembers. Expressions come last, since they read the others.
import type { Activity } from './activation.ts';
import { type ClassRules, classify, isCounted } from './classes.ts';
import type { Lookup } from './evaluate-expression.ts';
import type { Observations } from './observation.ts';
import type { Metric } from './policy.ts';
import { type ProposeContext, scalarOf } from './proposals/context.ts';
import type { Proposal } from './proposals/proposal.ts';
import { propose } from './proposals/propose.ts';
import type { MetricMemory } from './state.ts';
import { type Usable, usableReading } from './usable-reading.ts';

export type MetricRecord = {
  readonly name: string;
  readonly role: Metric['role'];
  readonly reading: Usable;
  readonly proposal: Proposal;
};

export type MetricContext = Omit<ProposeContext, 'lookup'>;

export function readMetrics(
  context: MetricContext,
  readings: Observations['readings'],
  memories: Readonly<Record<string, MetricMemory>>,
): { metrics: MetricRecord[]; memories: Record<string, MetricMemory> } {
  const { policy } = context;
  const usable = new Map<string, Usable>();
  for (const metric of policy.metrics) {
    const reading = Object.hasOwn(readings, metric.name) ? readings[metric.name] : undefined;
    usable.set(metric.name, usableReading(reading, metric));
  }
  const full: ProposeContext = { ...context, lookup: valueLookup(context, usable) };
  const next: Record<string, MetricMemory> = {};
  const metrics = policy.metrics.map((metric): MetricRecord => {
    const reading = usable.get(metric.name) ?? {
      ok: false,
      code: 'unknown',
      message: 'the source gave no reading',
    };
    const { proposal, memory } = propose(metric, reading, memories[metric.name], full);
    if (memory !== undefined) next[metric.name] = memory;
    return { name: metric.name, role: metric.role, reading, proposal };
  });
  return { metrics, memories: next };
}

/** `name` and `name.value`: what was read; `replicas`, `ready`: sizes. */
function valueLookup(context: MetricContext, usable: ReadonlyMap<string, Usable>): Lookup {
  const byName = new Map(context.policy.metrics.map((metric) => [metric.name, metric]));
  return (name, field) => {
    if (name === 'replicas') return context.n;
    if (name === 'ready') return context.ready;
    const metric = byName.get(name);
    const reading = usable.get(name);
    if (metric === undefined || reading === undefined || (field !== null && field !== 'value'))
      return undefined;
    return scalarOf(reading, metric, context);
  };
}

/** For the combining expression: `name` is a proposal, `name.value` what was read. A metric that keeps proposes the size there is. */
export function proposalLookup(context: MetricContext, metrics: readonly MetricRecord[]): Lookup {
  const byName = new Map(metrics.map((metric) => [metric.name, metric]));
  const values = valueLookup(context, new Map(metrics.map((metric) => [metric.name, metric.reading])));
  return (name, field) => {
    const metric = byName.get(name);
    if (metric === undefined || field === 'value') return values(name, field);
    if (field !== null && field !== 'proposal') return undefined;
    if (metric.proposal.outcome === 'value') return metric.proposal.count;
    return metric.proposal.outcome === 'keep' ? context.n : undefined;
  };
}

/**
 * Whether a service is used at all, by one metric: its total, or the sum over its instances, is above `above`. What was read
 * of a part is enough to say that it is used, and never that it is not.
 */
export function activityOf(
  { reading, proposal }: MetricRecord,
  above: number,
  instances: Observations['instances'],
  rules: ClassRules,
): Activity {
  const verdict = (value: number, isWhole: boolean): Activity =>
    value > above ? 'active' : isWhole ? 'inactive' : 'unknown';
  if (!reading.ok) {
    const value =
      proposal.outcome === 'value' || proposal.outcome === 'keep' ? proposal.measured.value : undefined;
    return value == null || Number.isNaN(value) ? 'unknown' : verdict(value, true);
  }
  const isWhole = reading.partial === undefined;
  if (reading.shape === 'total') return verdict(reading.value, isWhole);
  const classes = instances.map((instance) => classify(instance, reading.samples[instance.id], rules));
  const sum = instances
    .filter((_, index) => classes[index] === 'ready')
    .reduce((total, { id }) => total + (reading.samples[id]?.value ?? 0), 0);
  // None that could tell, though there are some, is not silence.
  const isSilent = instances.some(isCounted) && !classes.includes('ready');
  return verdict(sum, isWhole && !isSilent && !classes.includes('missing'));
}

export function loadOf(proposal: Proposal): number | null {
  return proposal.outcome === 'value' || proposal.outcome === 'keep' ? proposal.load : null;
}

/** True when the metric may not lower the size: it could not be read, or only in part. */
export function isBlind(metric: MetricRecord): boolean {
  if (metric.proposal.outcome === 'invalid') return true;
  return metric.reading.ok && metric.reading.partial !== undefined;
}

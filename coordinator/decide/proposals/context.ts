// What a proposal may look at besides its own reading.
import type { Alert } from '../alerts.ts';
import { type ClassRules, classify } from '../classes.ts';
import type { Lookup } from '../evaluate-expression.ts';
import type { InstanceObservation } from '../observation.ts';
import type { Metric, Policy } from '../policy.ts';
import type { MetricMemory } from '../state.ts';
import type { Tolerance } from '../tolerance.ts';
import type { Usable } from '../usable-reading.ts';
import type { Proposal } from './proposal.ts';

export type ProposeContext = {
  readonly policy: Policy;
  readonly n: number;
  /** Instances that there are, and those that serve. */
  readonly observed: number;
  readonly ready: number;
  readonly instances: readonly InstanceObservation[];
  readonly alerts: readonly Alert[];
  readonly t: number;
  readonly wallMs: number;
  readonly startupMs: number;
  readonly low: number;
  readonly high: number;
  /** Values of the other metrics, for expressions. */
  readonly lookup: Lookup;
};

export type Proposed = { readonly proposal: Proposal; readonly memory: MetricMemory | undefined };

/** A reading that can be used. */
export type Read = Extract<Usable, { ok: true }>;

/** The value that is compared: the total, or the mean of the instances that count. */
export function scalarOf(
  reading: Usable,
  metric: Metric,
  context: Pick<ProposeContext, 'policy' | 'instances'>,
): number | undefined {
  if (!reading.ok) return undefined;
  if (reading.shape === 'total') return reading.value;
  const rules = classRulesOf(metric, context.policy);
  let sum = 0;
  let count = 0;
  for (const instance of context.instances) {
    const sample = reading.samples[instance.id];
    if (sample === undefined || classify(instance, sample, rules) !== 'ready') continue;
    sum += sample.value;
    count += 1;
  }
  return count === 0 ? undefined : sum / count;
}

export function toleranceOf(metric: Metric, policy: Policy): Tolerance {
  return metric.tolerance ?? policy.tolerance;
}

export function classRulesOf(metric: Metric, policy: Policy): ClassRules {
  const { warmupMs, readinessDelayMs } = policy;
  return { warmup: metric.warmup, warmupMs, readinessDelayMs, maxAgeMs: metric.maxAgeMs };
}

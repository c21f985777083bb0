// From one metric and its reading to its proposal, and what the metric remembers of it.
import type { Alert } from '../alerts.ts';
import { weightOf } from '../alerts.ts';
import { type ClassRules, classify } from '../classes.ts';
import { evaluateExpression, type Lookup } from '../evaluate-expression.ts';
import type { FailedReading, InstanceObservation, PerInstanceReading, TotalReading } from '../observation.ts';
import type { Metric, Policy } from '../policy.ts';
import { saturate } from '../saturate.ts';
import { rampedValue } from '../schedule.ts';
import type { MetricMemory } from '../state.ts';
import { isWithinTolerance, type Tolerance } from '../tolerance.ts';
import type { Usable } from '../usable-reading.ts';
import { proposeByAlerts } from './alert.ts';
import { addWeights, decayScore, planConstant, planLinear, signalOf } from './alert-score.ts';
import { proposeAverage } from './average.ts';
import { learnRate, proposeByDrainTime } from './drain-time.ts';
import { limitStep } from './limit-step.ts';
import { type InvalidCode, invalid, measure, type Proposal } from './proposal.ts';
import { stepFor, stepWithin } from './step.ts';
import { changeCount, isTriggered } from './threshold.ts';
import { proposeByTotal, proposeByValue } from './total.ts';
import { proposeUtilization } from './utilization.ts';

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

type Read = Extract<Usable, { ok: true }>;

export function propose(
  metric: Metric,
  reading: Usable,
  memory: MetricMemory | undefined,
  context: ProposeContext,
): Proposed {
  const proposed = proposeByKind(metric, reading, memory, context);
  return { ...proposed, proposal: restrict(metric, proposed.proposal, context.n) };
}

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

function classRulesOf(metric: Metric, policy: Policy): ClassRules {
  const { warmupMs, readinessDelayMs } = policy;
  return { warmup: metric.warmup, warmupMs, readinessDelayMs, maxAgeMs: metric.maxAgeMs };
}

/** Within the metric's own limits: the direction it may take, and its largest step. */
function restrict(metric: Metric, proposal: Proposal, n: number): Proposal {
  if (proposal.outcome !== 'value') return proposal;
  const { load, measured } = proposal;
  const count = limitStep(n, proposal.count, metric.maxScaleUp, metric.maxScaleDown);
  if ((count < n && metric.direction === 'up') || (count > n && metric.direction === 'down')) {
    return { outcome: 'keep', cause: 'direction', load, measured };
  }
  return count === proposal.count ? proposal : { ...proposal, count };
}

function proposeByKind(
  metric: Metric,
  reading: Usable,
  memory: MetricMemory | undefined,
  context: ProposeContext,
): Proposed {
  const { target } = metric;
  switch (target.kind) {
    case 'fixed':
      return { proposal: exactly(target.value), memory };
    case 'schedule':
      return { proposal: proposeBySchedule(target.schedules, context), memory };
    case 'expression':
      return { proposal: proposeByExpression(metric, target, context), memory };
    case 'alert': {
      const { proposal, bases } = proposeByAlerts(
        target,
        context.alerts,
        memory?.alerts ?? {},
        context.n,
        context.t,
      );
      return { proposal, memory: { ...memory, alerts: bases } };
    }
    case 'alertScore':
      return proposeByScore(target, memory, context);
    default:
      if (!reading.ok) return { proposal: withoutReading(reading), memory };
      return proposeByReading(metric, reading, memory, context);
  }
}

/** Too little traffic to judge by is no failure: there is nothing to say. */
function withoutReading(reading: FailedReading): Proposal {
  if (reading.code === 'too-few-requests') return { outcome: 'abstain' };
  return invalid(reading.code, reading.message);
}

function proposeByReading(
  metric: Metric,
  reading: Read,
  memory: MetricMemory | undefined,
  context: ProposeContext,
): Proposed {
  const { target } = metric;
  const { n, observed, ready, instances, policy } = context;
  const tolerance = toleranceOf(metric, policy);
  switch (target.kind) {
    case 'utilization': {
      if (reading.shape !== 'perInstance')
        return { proposal: wrongShape('a value for each instance'), memory };
      const rules = classRulesOf(metric, policy);
      return {
        proposal: proposeUtilization({ n, percent: target.percent, reading, instances, rules, tolerance }),
        memory,
      };
    }
    case 'value':
      if (reading.shape !== 'total') return { proposal: wrongShape('one total'), memory };
      return {
        proposal: proposeByValue({
          n,
          value: reading.value,
          target: target.value,
          ready: instances.length === 0 ? null : ready,
          tolerance,
        }),
        memory,
      };
    case 'averageValue':
      return { proposal: proposeByAverageValue(metric, target, reading, context), memory };
    case 'drainTime':
      return proposeDrain(target, reading, memory, { observed, ready, tolerance });
    case 'threshold': {
      const value = scalarOf(reading, metric, context);
      if (value === undefined)
        return { proposal: invalid('no-samples', 'no ready instance has a fresh sample'), memory };
      const samples = [...(memory?.samples ?? []), value].slice(-target.samples);
      return { proposal: proposeThreshold(target, samples, n), memory: { ...memory, samples } };
    }
    case 'step': {
      const value = scalarOf(reading, metric, context);
      if (value === undefined)
        return { proposal: invalid('no-samples', 'no ready instance has a fresh sample'), memory };
      const bounds = { min: context.low, max: context.high };
      return { proposal: changed(n, stepWithin(n, stepFor(value, target), bounds, 'drop'), value), memory };
    }
    case 'passThrough':
      if (reading.shape !== 'total') return { proposal: wrongShape('one total'), memory };
      return { proposal: exactly(saturate(reading.value)), memory };
    default:
      return { proposal: invalid('unknown', `the kind ${target.kind} takes no reading`), memory };
  }
}

function proposeByAverageValue(
  metric: Metric,
  target: Extract<Metric['target'], { kind: 'averageValue' }>,
  reading: TotalReading | PerInstanceReading,
  context: ProposeContext,
): Proposal {
  const { n, observed, instances, policy } = context;
  const tolerance = toleranceOf(metric, policy);
  if (reading.shape === 'total') {
    return proposeByTotal({ value: reading.value, targetPerInstance: target.value, observed, tolerance });
  }
  const rules = classRulesOf(metric, policy);
  return proposeAverage({
    n,
    target: target.value,
    average: target.average,
    reading,
    instances,
    rules,
    tolerance,
  });
}

function proposeDrain(
  target: Extract<Metric['target'], { kind: 'drainTime' }>,
  reading: Read,
  memory: MetricMemory | undefined,
  now: { observed: number; ready: number; tolerance: Tolerance },
): Proposed {
  if (reading.shape !== 'total') return { proposal: wrongShape('the depth of a queue'), memory };
  const { value: depth, arrivalsPerSecond = 0, acknowledgedPerSecond } = reading;
  const learned = learnRate(memory?.ratePerInstance ?? null, {
    depth,
    acknowledgedPerSecond,
    ready: now.ready,
  });
  const ratePerInstance = target.ratePerInstance ?? learned;
  const next = learned === null ? memory : { ...memory, ratePerInstance: learned };
  if (ratePerInstance === null) {
    return {
      proposal: invalid('no-rate', 'how fast an instance works is neither given nor learned yet'),
      memory: next,
    };
  }
  const horizonSeconds = target.horizonMs / 1000;
  const proposal = proposeByDrainTime({ ...now, depth, arrivalsPerSecond, ratePerInstance, horizonSeconds });
  return { proposal, memory: next };
}

function proposeThreshold(
  target: Extract<Metric['target'], { kind: 'threshold' }>,
  samples: readonly number[],
  n: number,
): Proposal {
  const value = samples.at(-1) ?? null;
  if (!isTriggered(samples, target))
    return { outcome: 'keep', cause: 'not-triggered', load: null, measured: measure(value) };
  if (target.change === null)
    return { outcome: 'keep', cause: 'guard', load: null, measured: measure(value) };
  return changed(n, changeCount(n, target.change), value);
}

function proposeBySchedule(
  schedules: Extract<Metric['target'], { kind: 'schedule' }>['schedules'],
  { wallMs, startupMs }: ProposeContext,
): Proposal {
  const values = schedules.map((schedule) => rampedValue(schedule, schedule.value ?? 0, wallMs, startupMs));
  return exactly(saturate(Math.max(0, ...values)));
}

function proposeByExpression(
  metric: Metric,
  target: Extract<Metric['target'], { kind: 'expression' }>,
  context: ProposeContext,
): Proposal {
  const { n, policy, lookup } = context;
  const result = evaluateExpression(target.expression.tree, lookup);
  if (!result.ok) return invalid(result.code, expressionFaults[result.code] ?? result.code);
  const measured = measure(result.exact);
  const load = target.tolerated ? result.exact : null;
  if (target.tolerated && n > 0 && isWithinTolerance(result.exact / n, toleranceOf(metric, policy))) {
    return { outcome: 'keep', cause: 'within-tolerance', load, measured };
  }
  return { outcome: 'value', count: result.count, load, measured };
}

const expressionFaults: Readonly<Partial<Record<InvalidCode, string>>> = {
  nan: 'the expression is not a number',
  infinite: 'the expression is infinite',
  'unknown-value': 'a value in the expression is not known',
};

function proposeByScore(
  target: Extract<Metric['target'], { kind: 'alertScore' }>,
  memory: MetricMemory | undefined,
  { alerts, n, t }: ProposeContext,
): Proposed {
  const before = memory?.score ?? { score: 0, at: t, stepScore: 0, stepAt: t };
  const cycleSeconds = (t - before.at) / 1000;
  const weights = alerts
    .filter((alert) => alert.ageMs <= target.ttlMs)
    .map((alert) => weightOf(alert.name, target.weights));
  const added = addWeights(before.score, weights, cycleSeconds);
  const score = added.changed ? added.score : decayScore(before.score, target.decayPerSecond, cycleSeconds);
  const signal = signalOf(
    score,
    { score: before.stepScore, elapsedSeconds: (t - before.stepAt) / 1000 },
    target,
  );
  if (signal === 0) {
    const proposal: Proposal = {
      outcome: 'keep',
      cause: 'not-triggered',
      load: null,
      measured: measure(score),
    };
    return { proposal, memory: { ...memory, score: { ...before, score, at: t } } };
  }
  const { plan } = target;
  const count =
    plan.mode === 'constant' ? planConstant(signal, n, plan.step) : planLinear(signal, n, plan.weight);
  return {
    proposal: changed(n, count, score),
    memory: { ...memory, score: { score: 0, at: t, stepScore: 0, stepAt: t } },
  };
}

function exactly(count: number): Proposal {
  return { outcome: 'value', count: saturate(count), load: null, measured: measure(count) };
}

function changed(n: number, count: number, value: number | null): Proposal {
  const measured = measure(value);
  if (count === n) return { outcome: 'keep', cause: 'same-size', load: null, measured };
  return { outcome: 'value', count, load: null, measured };
}

function wrongShape(wanted: string): Proposal {
  return invalid('wrong-shape', `the source does not give ${wanted}`);
}

// Kubernetes: one metric, the classes of instances, and the small sums.
import { classify, isServing } from '../../../coordinator/decide/classes.ts';
import type { InstanceSample, Reading } from '../../../coordinator/decide/observation.ts';
import type { Metric } from '../../../coordinator/decide/policy.ts';
import { propose } from '../../../coordinator/decide/proposals/propose.ts';
import {
  totalRequest,
  usagePerInstance,
  usageRatio,
  utilizationRatio,
} from '../../../coordinator/decide/usage.ts';
import type { Adapter, Answer } from '../adapter.ts';
import {
  type Input,
  numberOf,
  numberOrNull,
  numbersOf,
  objectOf,
  objectsOf,
  secondsOf,
  secondsOrNull,
  textOf,
  textOrNull,
} from '../fields.ts';
import { instanceFrom, metric, policy, toleranceFrom } from './policies.ts';

/** Thousandths in 1, for metrics other than CPU. */
const thousandths = 1000;

/** What a 64-bit total can hold. */
const largestTotal = 2 ** 63;

export function targetFrom(input: Input): Metric['target'] {
  const type = textOf(input, input['metricType'] === undefined ? 'type' : 'metricType');
  const target = (numberOrNull(input, 'targetMilli') ?? 0) / thousandths;
  switch (type) {
    case 'resource_utilization':
      return { kind: 'utilization', percent: numberOf(input, 'targetPercent') };
    case 'object_value':
    case 'external_value':
      return { kind: 'value', value: target };
    default:
      return { kind: 'averageValue', value: target, average: 'mean' };
  }
}

function sampleFrom(input: Input, unit: number): InstanceSample | null {
  const usage = numberOrNull(input, 'usageMilli');
  if (usage === null) return null;
  return {
    value: usage / unit,
    ageMs: secondsOrNull(input, 'metricAgeSeconds') ?? 0,
    windowMs: secondsOrNull(input, 'metricWindowSeconds') ?? 0,
  };
}

export function samplesFrom(instances: readonly Input[], unit: number): Record<string, InstanceSample> {
  const samples: Record<string, InstanceSample> = {};
  for (const instance of instances) {
    const sample = sampleFrom(instance, unit);
    if (sample !== null) samples[textOf(instance, 'id')] = sample;
  }
  return samples;
}

export function requestsFrom(instances: readonly Input[], key: string): Record<string, number> {
  const requests: Record<string, number> = {};
  for (const instance of instances) {
    const request = numberOrNull(instance, key);
    if (request !== null) requests[textOf(instance, 'id')] = request;
  }
  return requests;
}

const replicaCalc: Adapter = (input) => {
  const inputs = objectsOf(input, 'instances');
  const extra = objectsOf(input, 'extraMetrics');
  const instances = inputs.map(instanceFrom);
  const n = numberOf(input, 'currentReplicas');
  const target = targetFrom(input);
  const isUtilization = target.kind === 'utilization';
  const unit = isUtilization ? 1 : thousandths;
  const total = Math.min(
    largestTotal,
    numbersOf(input, 'valuesMilli').reduce((sum, value) => sum + value, 0),
  );
  const reading: Reading =
    isUtilization || textOf(input, 'metricType') === 'instances_average_value'
      ? {
          ok: true,
          shape: 'perInstance',
          samples: samplesFrom([...inputs, ...extra], unit),
          ...(isUtilization ? { requests: requestsFrom(inputs, 'requestMilli') } : {}),
        }
      : { ok: true, shape: 'total', value: total / thousandths, ageMs: 0 };
  const rule = metric('m', target, { warmup: isUtilization && textOrNull(input, 'resource') === 'cpu' });
  const { proposal } = propose(rule, reading, undefined, {
    policy: policy({
      tolerance: toleranceFrom(input),
      warmupMs: secondsOf(input, 'cpuInitializationPeriodSeconds'),
      readinessDelayMs: secondsOf(input, 'initialReadinessDelaySeconds'),
    }),
    n,
    observed: n,
    ready: instances.filter(isServing).length,
    instances,
    alerts: [],
    t: 0,
    wallMs: 0,
    startupMs: 0,
    low: 0,
    high: Number.MAX_SAFE_INTEGER,
    lookup: () => undefined,
  });
  if (proposal.outcome === 'invalid') return { error: proposal.code };
  if (proposal.outcome === 'abstain') return {};
  const { value, average } = proposal.measured;
  return {
    replicas: proposal.outcome === 'value' ? proposal.count : n,
    utilizationPercent: value,
    averageUsageMilli: average === null ? null : Math.round(average * unit),
    usageMilli: total,
  };
};

const classifyInstances: Adapter = (input) => {
  const rules = {
    warmup: textOrNull(input, 'resource') === 'cpu',
    warmupMs: secondsOf(input, 'cpuInitializationPeriodSeconds'),
    readinessDelayMs: secondsOf(input, 'initialReadinessDelaySeconds'),
    maxAgeMs: null,
  };
  const classes = objectsOf(input, 'instances').map((instance) => ({
    id: textOf(instance, 'id'),
    is: classify(instanceFrom(instance), sampleFrom(instance, 1) ?? undefined, rules),
  }));
  const idsOf = (wanted: string): string[] => classes.filter(({ is }) => is === wanted).map(({ id }) => id);
  return {
    readyCount: idsOf('ready').length,
    unready: idsOf('unready'),
    missing: idsOf('missing'),
    ignored: idsOf('ignored'),
  };
};

const utilization: Adapter = (input) => {
  const requests = objectOf(input, 'requestById');
  const usage = objectOf(input, 'usageById');
  const known = Object.keys(usage).filter((id) => requests[id] !== undefined);
  const sumOf = (values: Input): number => known.reduce((sum, id) => sum + numberOf(values, id), 0);
  const ratio = utilizationRatio(sumOf(usage), sumOf(requests), numberOf(input, 'targetPercent'));
  if (ratio === null) return { error: 'no-requests' };
  const { average } = usageRatio(sumOf(usage), known.length, 1);
  return { ratio: ratio.ratio, utilizationPercent: ratio.percent, averageUsage: average };
};

const usage: Adapter = (input) => {
  const values = objectOf(input, 'usageById');
  const ids = Object.keys(values);
  const total = ids.reduce((sum, id) => sum + numberOf(values, id), 0);
  const { ratio, average } = usageRatio(total, ids.length, numberOf(input, 'target'));
  return { ratio, averageUsage: average };
};

const perInstance: Adapter = (input) => ({
  perInstance: usagePerInstance(numberOf(input, 'usage'), numberOf(input, 'replicas')),
});

/** A request of the whole instance, where one is given, stands for the sum of its parts. */
const requestTotal: Adapter = (input): Answer => {
  const whole = numberOrNull(input, 'podRequestMilli') ?? numberOrNull(input, 'instanceRequestMilli');
  const parts = objectsOf(input, 'containers').map((container) => ({
    name: textOf(container, 'name'),
    request: numberOrNull(container, 'requestMilli'),
  }));
  const only = textOrNull(input, 'only');
  const result = totalRequest(
    whole !== null && only === null ? [{ name: 'whole', request: whole }] : parts,
    only,
  );
  return result.ok
    ? { request: result.request, total: result.request, requestMilli: result.request }
    : { error: result.code };
};

export const arithmetic: Readonly<Record<string, Adapter>> = {
  replica_calc: replicaCalc,
  classify_instances: classifyInstances,
  utilization_ratio: utilization,
  usage_ratio: usage,
  per_instance_usage: perInstance,
  request_total: requestTotal,
};

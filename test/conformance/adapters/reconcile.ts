// Kubernetes: the whole loop. The conditions of the Kubernetes API are read off the decision's record.
import { decide } from '../../../coordinator/decide/decide.ts';
import type { Observations, Reading } from '../../../coordinator/decide/observation.ts';
import type { Metric, Policy } from '../../../coordinator/decide/policy.ts';
import type { Decision } from '../../../coordinator/decide/record.ts';
import { emptyState, type PolicyState } from '../../../coordinator/decide/state.ts';
import type { Adapter, Answer } from '../adapter.ts';
import {
  flagOf,
  type Input,
  numberOf,
  numberOrNull,
  numbersOf,
  objectOrNull,
  objectsOf,
  secondsOf,
  textOf,
  textOrNull,
  textsOf,
} from '../fields.ts';
import { requestsFrom, samplesFrom, targetFrom } from './arithmetic.ts';
import { reasons } from './limits.ts';
import { instanceFrom, metric, noRules, policy, rulesFrom, toleranceFrom } from './policies.ts';

const now = { wallMs: 0, monoMs: 0, run: 'record' };

const totals = new Set(['object_value', 'external_value', 'object_average', 'external_average']);

export const reconcile: Adapter = (input) => {
  const rules = policyFrom(input);
  const state = stateFrom(input);
  const { decision, state: next } = decide(rules, state, observationsFrom(input), now);
  const { outcome } = decision.record;
  const writes = outcome.action !== 'none';
  const written = writes && !flagOf(input, 'targetWriteFails');
  return {
    replicas: written ? outcome.to : outcome.from,
    action: written ? `scale_${outcome.action}` : 'none',
    rescaled: written,
    error: hasError(decision) || (writes && !written),
    conditions: conditionsOf(input, decision, writes, written, next.idle),
    utilizationPercent: reportedPercent(decision),
  };
};

function policyFrom(input: Input): Policy {
  const upRules = objectOrNull(input, 'scaleUpRules');
  const downRules = objectOrNull(input, 'scaleDownRules');
  const hasRules = upRules !== null || downRules !== null;
  const downMs = secondsOf(input, 'downStabilizationSeconds');
  const tolerance = toleranceFrom(input);
  const own = flagOf(input, 'configurableTolerance');
  return policy({
    minReplicas: numberOf(input, 'min'),
    maxReplicas: numberOf(input, 'max'),
    metrics: objectsOf(input, 'metrics').map(metricFrom),
    tolerance: {
      up: (own && upRules !== null ? numberOrNull(upRules, 'tolerance') : null) ?? tolerance.up,
      down: (own && downRules !== null ? numberOrNull(downRules, 'tolerance') : null) ?? tolerance.down,
    },
    scaleUp: hasRules ? rulesFrom(upRules, 'up', 0) : noRules,
    scaleDown: hasRules ? rulesFrom(downRules, 'down', downMs) : { ...noRules, stabilizationMs: downMs },
    growthCap: { factor: numberOf(input, 'growthFactor'), floor: numberOf(input, 'growthFloor') },
    warmupMs: secondsOf(input, 'cpuInitializationPeriodSeconds'),
    readinessDelayMs: secondsOf(input, 'initialReadinessDelaySeconds'),
  });
}

function metricFrom(input: Input, index: number): Metric {
  const type = textOf(input, 'type');
  return metric(`${index}`, targetFrom(input), {
    warmup: type === 'resource_utilization' && textOrNull(input, 'resource') === 'cpu',
    activeAbove: totals.has(type) ? 0 : null,
  });
}

function stateFrom(input: Input): PolicyState {
  const past = input['pastRecommendations'];
  return {
    ...emptyState,
    recommendations: Array.isArray(past)
      ? objectsOf(input, 'pastRecommendations').map((entry) => ({
          replicas: numberOf(entry, 'replicas'),
          at: -secondsOf(entry, 'ageSeconds'),
        }))
      : null,
    idle: flagOf(input, 'scaleToZeroEnabled') && flagOf(input, 'scaledToZeroMark'),
  };
}

function observationsFrom(input: Input): Observations {
  const instances = objectsOf(input, 'instances');
  const readings = objectsOf(input, 'metrics').map(
    (entry, index) => [`${index}`, readingFrom(input, entry)] as const,
  );
  return {
    target: flagOf(input, 'targetReadFails')
      ? { ok: false, message: 'the record says so' }
      : { ok: true, wanted: numberOf(input, 'specReplicas'), observed: numberOf(input, 'statusReplicas') },
    instances: instances.map(instanceFrom),
    readings: Object.fromEntries(readings),
    gate: flagOf(input, 'otherPolicyClaimsSameInstances') ? { conflictsWith: 'another' } : {},
  };
}

function readingFrom(input: Input, entry: Input): Reading {
  const type = textOf(entry, 'type');
  if (textsOf(input, 'failingSources').includes(type))
    return { ok: false, code: 'unreachable', message: 'the record says so' };
  const all = [...objectsOf(input, 'instances'), ...objectsOf(input, 'extraMetrics')];
  switch (type) {
    case 'resource_utilization': {
      const share = flagOf(entry, 'singleContainer') ? 2 : 1;
      const usageKey = textOrNull(entry, 'resource') === 'memory' ? 'memoryUsageMilli' : 'cpuUsageMilli';
      const requestKey =
        textOrNull(entry, 'resource') === 'memory' ? 'memoryRequestMilli' : 'cpuRequestMilli';
      const halves = objectsOf(input, 'instances').map((instance) => ({
        ...instance,
        request: divided(instance[requestKey] ?? instance['cpuRequestMilli'], share),
      }));
      const samples = all.map((instance) => ({
        ...instance,
        usageMilli: divided(instance[usageKey] ?? instance['cpuUsageMilli'], share),
      }));
      return {
        ok: true,
        shape: 'perInstance',
        samples: samplesFrom(samples, 1),
        requests: requestsFrom(halves, 'request'),
      };
    }
    case 'instances_average_value': {
      const samples = all.map((instance) => ({ ...instance, usageMilli: instance['customMilli'] }));
      return { ok: true, shape: 'perInstance', samples: samplesFrom(samples, 1000) };
    }
    case 'object_value':
    case 'object_average':
      return totalOf([numberOrNull(input, 'objectValueMilli')].filter((value) => value !== null));
    case 'external_value':
    case 'external_average':
      return totalOf(numbersOf(input, 'externalValuesMilli'));
    default:
      return { ok: false, code: 'unknown', message: `no metric is of type ${type}` };
  }
}

/** Several values are summed; none at all is no reading. */
function totalOf(values: readonly number[]): Reading {
  if (values.length === 0) return { ok: false, code: 'empty', message: 'the record has no value' };
  return { ok: true, shape: 'total', value: values.reduce((sum, value) => sum + value, 0) / 1000, ageMs: 0 };
}

function divided(value: unknown, by: number): number | null {
  return typeof value === 'number' ? value / by : null;
}

function hasError({ reason, record }: Decision): boolean {
  if (reason === 'TargetUnreadable' || reason === 'Conflict') return true;
  return record.metrics.some(({ proposal }) => proposal.outcome === 'invalid');
}

type Condition = readonly [boolean, string];

function conditionsOf(
  input: Input,
  decision: Decision,
  writes: boolean,
  written: boolean,
  idle: boolean,
): Answer {
  const { record, reason } = decision;
  const conditions: Record<string, Condition> = {};
  if (reason === 'TargetUnreadable') return { AbleToScale: [false, 'FailedGetScale'] };
  conditions['AbleToScale'] = ableToScale(decision, writes, written);
  conditions['ScalingActive'] = scalingActive(input, decision);
  const limited = record.smoothed?.limited;
  if (limited !== undefined) {
    conditions['ScalingLimited'] = [limited.reason !== 'within-range', reasons[limited.reason]];
  }
  if (flagOf(input, 'scaleToZeroEnabled') && written) {
    conditions['ScaledToZero'] = idle ? [true, 'ScaledToZero'] : [false, 'NotScaledToZero'];
  }
  return conditions;
}

function ableToScale({ record, reason }: Decision, writes: boolean, written: boolean): Condition {
  if (writes) return written ? [true, 'SucceededRescale'] : [false, 'FailedUpdateScale'];
  const { smoothed, combined } = record;
  if (smoothed === null || combined === null || isHeldByError(reason)) return [true, 'SucceededGetScale'];
  if (smoothed.stabilized.count === combined.count) return [true, 'ReadyForNewScale'];
  return [true, combined.count >= record.n ? 'ScaleUpStabilized' : 'ScaleDownStabilized'];
}

function isHeldByError(reason: Decision['reason']): boolean {
  return reason === 'AllSourcesFailed' || reason === 'HeldByMissingData';
}

const failures: Readonly<Record<string, string>> = {
  resource_utilization: 'FailedGetResourceMetric',
  instances_average_value: 'FailedGetPodsMetric',
  object_value: 'FailedGetObjectMetric',
  object_average: 'FailedGetObjectMetric',
  external_value: 'FailedGetExternalMetric',
  external_average: 'FailedGetExternalMetric',
};

function scalingActive(input: Input, { record, reason }: Decision): Condition {
  if (reason === 'Conflict') return [false, 'AmbiguousSelector'];
  if (reason === 'DisabledByHand') return [false, 'ScalingDisabled'];
  if (!isHeldByError(reason)) return [true, 'ValidMetricFound'];
  const failed = record.metrics.findIndex(({ proposal }) => proposal.outcome === 'invalid');
  const entry = objectsOf(input, 'metrics')[failed] ?? {};
  const isContainer = flagOf(entry, 'singleContainer');
  const code = isContainer ? 'FailedGetContainerResourceMetric' : failures[textOrNull(entry, 'type') ?? ''];
  return [false, code ?? 'InvalidMetricSourceType'];
}

function reportedPercent({ record }: Decision): number | null {
  for (const { proposal } of record.metrics) {
    if (proposal.outcome === 'value' || proposal.outcome === 'keep') return proposal.measured.value;
  }
  return null;
}

// Rules that look at several fields of a policy at once. Each fault names the place of its culprit.
import { namesIn } from '../decide/expression-tree.ts';
import { parseExpression } from '../decide/parse-expression.ts';
import type { MetricConfig } from './metric-schema.ts';
import { canWake, nameOf, sourceOf, targetOf } from './normalize-metric.ts';
import type { PolicyConfig } from './policy-schema.ts';
import { nearest } from './suggest.ts';

export type PolicyFault = {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
  /** Offset within the value at `path`, or `key`: what is wrong is the key itself. */
  readonly offset?: number | 'key';
};

/** Names that an expression may always use. */
const sizes = ['replicas', 'ready'];
const valueFields = ['value'];
const proposalFields = ['value', 'proposal'];

export function checkPolicy(config: PolicyConfig): PolicyFault[] {
  return [
    ...checkBounds(config),
    ...checkMetricNames(config),
    ...checkTargets(config),
    ...checkExpressions(config),
    ...checkZones(config),
    ...checkZero(config),
    ...checkScheduleMetrics(config),
  ];
}

function checkBounds(config: PolicyConfig): PolicyFault[] {
  const { minReplicas, maxReplicas, service, scaleTargetRef, fallback } = config;
  const faults: PolicyFault[] = [];
  if (minReplicas > maxReplicas) {
    faults.push({
      path: ['minReplicas'],
      message: `minReplicas ${minReplicas} is above maxReplicas ${maxReplicas}`,
    });
  }
  if (service !== undefined && scaleTargetRef !== undefined) {
    faults.push({
      path: ['scaleTargetRef'],
      message: 'service and scaleTargetRef both name a service',
      hint: 'give one',
    });
  }
  if (fallback !== undefined && fallback.replicas > maxReplicas) {
    const message = `fallback.replicas ${fallback.replicas} is above maxReplicas ${maxReplicas}`;
    faults.push({ path: ['fallback', 'replicas'], message });
  }
  for (const [index, schedule] of config.schedules.entries()) {
    if (schedule.minReplicas === undefined && schedule.maxReplicas === undefined) {
      faults.push({
        path: ['schedules', index],
        message: 'the schedule gives neither minReplicas nor maxReplicas',
      });
    }
    if ((schedule.minReplicas ?? 0) > maxReplicas) {
      const message = `minReplicas ${schedule.minReplicas} is above the policy's maxReplicas ${maxReplicas}`;
      faults.push({ path: ['schedules', index, 'minReplicas'], message });
    }
  }
  return faults;
}

function checkMetricNames({ metrics = [] }: PolicyConfig): PolicyFault[] {
  const seen = new Set<string>();
  return metrics.flatMap((metric, index) => {
    const name = nameOf(metric);
    const path = ['metrics', index, ...(metric.name === undefined ? [] : ['name'])];
    if (sizes.includes(name)) return [{ path, message: `a metric cannot be called ${JSON.stringify(name)}` }];
    if (seen.has(name)) {
      return [
        { path, message: `two metrics are called ${JSON.stringify(name)}`, hint: 'give each its own name' },
      ];
    }
    seen.add(name);
    return [];
  });
}

/** Kinds against what their source can give. */
function checkTargets({ metrics = [] }: PolicyConfig): PolicyFault[] {
  return metrics.flatMap((metric, index) => {
    const fault = targetFault(metric);
    return fault === undefined ? [] : [{ path: ['metrics', index, 'target'], ...fault }];
  });
}

function targetFault(metric: MetricConfig): { message: string; hint?: string } | undefined {
  const target = targetOf(metric);
  const source = sourceOf(metric);
  if (source === undefined) return undefined;
  const isPerInstance = source.type === 'docker' || source.type === 'agent';
  if (metric.role === 'value') return undefined;
  const needsTotal = target.type === 'Value' || target.type === 'PassThrough' || target.type === 'DrainTime';
  if (needsTotal && isPerInstance) {
    const message = `${target.type} needs one total, and the source ${source.type} gives a value for each instance`;
    return { message, hint: 'use AverageValue' };
  }
  if (target.type === 'Utilization' && source.type !== 'docker') {
    return { message: `Utilization needs the source docker, not ${source.type}`, hint: 'use AverageValue' };
  }
  const isQuality =
    source.type === 'haproxy' && (source.what === 'responseTime' || source.what === 'errorRate');
  if (isQuality && target.type !== 'Threshold' && target.type !== 'Step') {
    const message = `${source.what} does not grow with the number of instances, so ${target.type} means nothing`;
    return { message, hint: 'use Threshold, or make it a guard' };
  }
  return undefined;
}

function checkExpressions(config: PolicyConfig): PolicyFault[] {
  const { metrics = [], combine } = config;
  const names = metrics.map(nameOf);
  const faults = metrics.flatMap((metric, index) => {
    const target = targetOf(metric);
    if (target.type !== 'Expression') return [];
    const readable = metrics.filter((other) => sourceOf(other) !== undefined).map(nameOf);
    const path = ['metrics', index, 'target', 'expression'];
    return expressionFaults(target.expression, path, readable, valueFields);
  });
  return combine === undefined
    ? faults
    : [...faults, ...expressionFaults(combine, ['combine'], names, proposalFields)];
}

function expressionFaults(
  text: string,
  path: readonly PropertyKey[],
  metrics: readonly string[],
  fields: readonly string[],
): PolicyFault[] {
  const parsed = parseExpression(text);
  if (!parsed.ok) return [{ path, message: parsed.message, offset: parsed.at }];
  const known = [...metrics, ...sizes];
  return namesIn(parsed.tree).flatMap(({ name, field }) => {
    const offset = Math.max(0, text.indexOf(name));
    if (!known.includes(name)) {
      const near = nearest(name, known);
      const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`;
      return [{ path, message: `there is no metric ${JSON.stringify(name)}`, hint, offset }];
    }
    if (field === null || fields.includes(field)) return [];
    return [
      {
        path,
        message: `${name} has no field ${JSON.stringify(field)}`,
        hint: `known are ${fields.join(', ')}`,
        offset,
      },
    ];
  });
}

function checkZones(config: PolicyConfig): PolicyFault[] {
  const { schedules, metrics = [], timeZone } = config;
  if (timeZone !== undefined) return [];
  const own = schedules.flatMap((schedule, index) => (needsZone(schedule) ? [['schedules', index]] : []));
  const inMetrics = metrics.flatMap((metric, index) => {
    const target = targetOf(metric);
    if (target.type !== 'Schedule') return [];
    return target.schedules.flatMap((schedule, place) =>
      needsZone(schedule) ? [['metrics', index, 'target', 'schedules', place]] : [],
    );
  });
  const hint = 'give timeZone here or in the policy, e.g. Europe/Berlin';
  return [...own, ...inMetrics].map((path) => ({ path, message: 'the schedule has no time zone', hint }));
}

function needsZone(schedule: PolicyConfig['schedules'][number]): boolean {
  return schedule.date === undefined && schedule.timeZone === undefined;
}

/** From zero, something must be able to wake the service. */
function checkZero(config: PolicyConfig): PolicyFault[] {
  const { minReplicas, activation, metrics = [], schedules } = config;
  if (minReplicas > 0 || activation === false) return [];
  const wakes = metrics.some(canWake) || schedules.some((schedule) => (schedule.minReplicas ?? 0) > 0);
  if (wakes) return [];
  const message =
    'minReplicas is 0, and nothing can wake the service: CPU, memory and agents are silent without instances';
  return [
    { path: ['minReplicas'], message, hint: 'add a metric such as haproxy queue or sessions, or a schedule' },
  ];
}

/** A schedule that is a metric needs a size. */
function checkScheduleMetrics({ metrics = [] }: PolicyConfig): PolicyFault[] {
  return metrics.flatMap((metric, index) => {
    const target = targetOf(metric);
    if (target.type !== 'Schedule') return [];
    return target.schedules.flatMap((schedule, place) => {
      if (schedule.minReplicas !== undefined) return [];
      const path = ['metrics', index, 'target', 'schedules', place];
      return [{ path, message: 'a schedule as a metric needs minReplicas, its size' }];
    });
  });
}

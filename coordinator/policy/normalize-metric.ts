// One metric, with its defaults filled in.

import type { Expression } from '../decide/expression-tree.ts';
import { parseExpression } from '../decide/parse-expression.ts';
import type { CountChange, Metric, MetricTarget } from '../decide/policy.ts';
import type { MetricConfig, TargetConfig } from './metric-schema.ts';
import { normalizeSchedule } from './normalize-schedule.ts';
import type { PolicyConfig } from './policy-schema.ts';
import type { SourceConfig } from './source-schema.ts';

const leastMaxAgeMs = 60_000;

export type MetricSurroundings = {
  readonly config: Pick<PolicyConfig, 'timeZone' | 'holidays'>;
  readonly intervalMs: number;
  readonly activeAbove: number;
};

export function sourceOf(metric: MetricConfig): SourceConfig | undefined {
  return metric.resource === undefined ? metric.source : { type: 'docker', what: metric.resource.name };
}

export function targetOf(metric: MetricConfig): TargetConfig {
  return metric.resource?.target ?? metric.target ?? { type: 'PassThrough' };
}

/** The name given, else what is read. */
export function nameOf(metric: MetricConfig): string {
  const source = sourceOf(metric);
  if (metric.name !== undefined) return metric.name;
  if (source === undefined) return targetOf(metric).type;
  if ('what' in source) return source.what;
  return 'metric' in source ? source.metric : source.type;
}

export function normalizeMetric(metric: MetricConfig, around: MetricSurroundings): Metric {
  const source = sourceOf(metric);
  const { activation } = metric;
  const activeAbove =
    activation === undefined ? (canTellActivity(metric) ? around.activeAbove : null) : activation;
  return {
    name: nameOf(metric),
    target: normalizeTarget(targetOf(metric), around),
    role: metric.role,
    direction: metric.direction ?? (isQuality(source) ? 'up' : 'both'),
    group: metric.group,
    tolerance: metric.tolerance ?? null,
    maxAgeMs: metric.maxAge ?? Math.max(leastMaxAgeMs, 4 * around.intervalMs),
    whenEmpty: metric.whenEmpty,
    onNaN: metric.onNaN,
    warmup: metric.warmup ?? (source?.type === 'docker' && source.what === 'cpu'),
    activeAbove: activeAbove === false ? null : activeAbove,
    maxScaleUp: metric.maxScaleUp ?? null,
    maxScaleDown: metric.maxScaleDown ?? null,
  };
}

/** CPU and memory are never quite 0, and how good answers are says nothing about whether there are any. */
export function canTellActivity(metric: MetricConfig): boolean {
  const source = sourceOf(metric);
  return metric.role === 'decide' && source?.type !== 'docker' && !isQuality(source);
}

/** True when the metric can be read while there is not one instance. */
export function canWake(metric: MetricConfig): boolean {
  return canTellActivity(metric) && metric.activation !== false && sourceOf(metric)?.type !== 'agent';
}

function isQuality(source: SourceConfig | undefined): boolean {
  return source?.type === 'haproxy' && (source.what === 'responseTime' || source.what === 'errorRate');
}

function normalizeTarget(target: TargetConfig, { config }: MetricSurroundings): MetricTarget {
  switch (target.type) {
    case 'Utilization':
      return { kind: 'utilization', percent: target.averageUtilization };
    case 'Value':
      return { kind: 'value', value: target.value };
    case 'AverageValue':
      return { kind: 'averageValue', value: target.averageValue, average: target.average };
    case 'DrainTime':
      return {
        kind: 'drainTime',
        horizonMs: target.horizon,
        ratePerInstance: target.ratePerInstance ?? null,
      };
    case 'Threshold':
      return {
        kind: 'threshold',
        lower: target.lower ?? null,
        upper: target.upper ?? null,
        samples: target.samples ?? target.within,
        within: target.within,
        change: changeOf(target),
      };
    case 'Step':
      return { kind: 'step', above: target.above, below: target.below, step: target.step };
    case 'Alert': {
      const { byName, bySeverity, ttl, repeat } = target;
      return { kind: 'alert', byName, bySeverity, ttlMs: ttl, repeatMs: repeat ?? null };
    }
    case 'AlertScore': {
      const { weights, upAbove, downBelow, decayPerSecond, ttl, step = 1, weight } = target;
      const plan =
        weight === undefined ? { mode: 'constant' as const, step } : { mode: 'linear' as const, weight };
      return { kind: 'alertScore', weights, upAbove, downBelow, decayPerSecond, plan, ttlMs: ttl };
    }
    case 'PassThrough':
      return { kind: 'passThrough' };
    case 'Fixed':
      return { kind: 'fixed', value: target.value };
    case 'Schedule':
      return {
        kind: 'schedule',
        schedules: target.schedules.map((entry, index) => normalizeSchedule(entry, index, config)),
      };
    case 'Expression':
      return { kind: 'expression', expression: expressionOf(target.expression), tolerated: target.tolerated };
  }
}

function changeOf(target: Extract<TargetConfig, { type: 'Threshold' }>): CountChange | null {
  if (target.addReplicas !== undefined) return { by: 'count', count: target.addReplicas };
  if (target.addPercent !== undefined) return { by: 'percent', percent: target.addPercent };
  return target.setReplicas === undefined ? null : { by: 'value', value: target.setReplicas };
}

/** The parsed expression. Its text was checked before; an unreadable one is unknown, which holds the size. */
export function expressionOf(text: string): Expression {
  const parsed = parseExpression(text);
  return { text, tree: parsed.ok ? parsed.tree : { node: 'number', value: Number.NaN } };
}

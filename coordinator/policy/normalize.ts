// From the policy as people write it to the one that decides: every default filled in, expressions parsed, schedules resolved.
import type { Activation, Amount, Fallback, Metric, PanicRules, Pause, Policy } from '../decide/policy.ts';
import { normalizeBehavior } from './normalize-behavior.ts';
import { expressionOf, nameOf, normalizeMetric, sourceOf } from './normalize-metric.ts';
import { normalizeSchedule } from './normalize-schedule.ts';
import type { PolicyConfig } from './policy-schema.ts';
import type { SourceConfig } from './source-schema.ts';

/** A policy that was accepted, with what the rest of the coordinator needs to carry it out. */
export type AdmittedPolicy = {
  readonly policy: Policy;
  /** Where to read each metric that has a source. */
  readonly sources: Readonly<Record<string, SourceConfig>>;
  readonly drain: { readonly deadlineMs: number; readonly minAgeMs: number };
  readonly priority: number;
};

const fastIntervalMs = 1000;
const slowIntervalMs = 15_000;

export function serviceOf(config: PolicyConfig): string {
  return config.service ?? config.scaleTargetRef?.name ?? config.name;
}

export function normalizePolicy(config: PolicyConfig): AdmittedPolicy {
  const metrics = config.metrics ?? [];
  const sources = sourcesOf(config);
  const intervalMs = config.interval ?? defaultInterval(Object.values(sources));
  const behavior = normalizeBehavior(config);
  const schedules = config.schedules.map((schedule, index) => normalizeSchedule(schedule, index, config));
  const above = config.activation === undefined || config.activation === false ? 0 : config.activation.above;
  const policy: Policy = {
    name: config.name,
    service: serviceOf(config),
    enabled: config.enabled,
    pause: normalizePause(config.pause),
    dryRun: config.dryRun,
    minReplicas: config.minReplicas,
    maxReplicas: config.maxReplicas,
    intervalMs,
    metrics: metrics.map(
      (metric): Metric => normalizeMetric(metric, { config, intervalMs, activeAbove: above }),
    ),
    combine: config.combine === undefined ? null : expressionOf(config.combine),
    ...behavior,
    activation: normalizeActivation(config),
    panic: normalizePanic(config.panic),
    fallback: normalizeFallback(config.fallback),
    schedules,
    warmupMs: config.warmup,
    readinessDelayMs: config.readinessDelay,
    budget: normalizeBudget(config.budget),
    victims: config.victims,
  };
  const drain = { deadlineMs: config.drain.deadline, minAgeMs: config.drain.minAge };
  return { policy, sources, drain, priority: config.priority };
}

function sourcesOf(config: PolicyConfig): Record<string, SourceConfig> {
  const entries = (config.metrics ?? []).flatMap((metric) => {
    const source = sourceOf(metric);
    return source === undefined ? [] : [[nameOf(metric), source] as const];
  });
  return Object.fromEntries(entries);
}

function defaultInterval(sources: readonly SourceConfig[]): number {
  return sources.every(({ type }) => type === 'haproxy' || type === 'agent')
    ? fastIntervalMs
    : slowIntervalMs;
}

function normalizePause(pause: PolicyConfig['pause']): Pause {
  return typeof pause === 'string' ? { mode: pause } : { mode: 'at', replicas: pause.at };
}

/** On by default where the size may be 0. */
function normalizeActivation({ activation, minReplicas }: PolicyConfig): Activation | null {
  if (activation === false || (activation === undefined && minReplicas > 0)) return null;
  return {
    toIdleAfterMs: activation?.toIdleAfter ?? 300_000,
    initialMs: activation?.initial ?? 0,
    minWhenActive: activation?.minWhenActive ?? 1,
    idleReplicas: activation?.idleReplicas ?? null,
  };
}

function normalizePanic(panic: PolicyConfig['panic']): PanicRules | null {
  if (panic === undefined) return null;
  return {
    windowMs: panic.window,
    stableMs: panic.stable,
    threshold: panic.threshold,
    average: panic.average,
    maxScaleUpRate: panic.maxScaleUpRate ?? null,
    maxScaleDownRate: panic.maxScaleDownRate ?? null,
    burst: panic.burst ?? null,
  };
}

const fallbackBehaviors = {
  static: 'static',
  currentReplicas: 'current',
  currentReplicasIfHigher: 'ifHigher',
  currentReplicasIfLower: 'ifLower',
} as const;

const defaultFallbackAfterMs = 180_000;

export function normalizeFallback(fallback: PolicyConfig['fallback']): Fallback | null {
  if (fallback === undefined) return null;
  const { afterFailures = null, afterSeconds = afterFailures === null ? defaultFallbackAfterMs : null } =
    fallback;
  return {
    afterFailures,
    afterMs: afterSeconds,
    replicas: fallback.replicas,
    behavior: fallbackBehaviors[fallback.behavior],
  };
}

function normalizeBudget(budget: PolicyConfig['budget']): Policy['budget'] {
  if (budget?.minAvailable !== undefined) return { minAvailable: amountOf(budget.minAvailable) };
  return budget?.maxUnavailable === undefined ? null : { maxUnavailable: amountOf(budget.maxUnavailable) };
}

function amountOf(amount: number | string): Amount {
  return typeof amount === 'number' ? { count: amount } : { share: Number.parseInt(amount, 10) / 100 };
}

// Core policies and instances for the adapters, with every point in which Berth differs from the HPA switched off.
import type { InstanceObservation, InstancePhase } from '../../../coordinator/decide/observation.ts';
import type {
  DirectionRules,
  Metric,
  MetricTarget,
  Policy,
  RatePolicy,
} from '../../../coordinator/decide/policy.ts';
import {
  flagOrNull,
  type Input,
  numberOf,
  objectOrNull,
  objectsOf,
  secondsOf,
  secondsOrNull,
  textOf,
  textOrNull,
} from '../fields.ts';

export const noRules: DirectionRules = { stabilizationMs: 0, select: 'Max', policies: [], cooldownMs: 0 };

const defaultUp: readonly RatePolicy[] = [
  { type: 'Count', value: 4, periodMs: 15_000 },
  { type: 'Percent', value: 100, periodMs: 15_000 },
];
const defaultDown: readonly RatePolicy[] = [{ type: 'Percent', value: 100, periodMs: 15_000 }];

export function rulesFrom(
  rules: Input | null,
  direction: 'up' | 'down',
  stabilizationMs: number,
): DirectionRules {
  const standard = direction === 'up' ? defaultUp : defaultDown;
  const given = rules === null ? [] : objectsOf(rules, 'policies');
  return {
    stabilizationMs:
      (rules === null ? null : secondsOrNull(rules, 'stabilizationWindowSeconds')) ?? stabilizationMs,
    select: selectFrom(rules),
    policies: given.length === 0 ? standard : given.map(ratePolicyFrom),
    cooldownMs: 0,
  };
}

function selectFrom(rules: Input | null): DirectionRules['select'] {
  const select = rules === null ? null : textOrNull(rules, 'select');
  return select === 'Min' || select === 'Disabled' ? select : 'Max';
}

function ratePolicyFrom(policy: Input): RatePolicy {
  return {
    type: textOf(policy, 'type') === 'Percent' ? 'Percent' : 'Count',
    value: numberOf(policy, 'value'),
    periodMs: secondsOf(policy, 'periodSeconds'),
  };
}

export function metric(name: string, target: MetricTarget, extra: Partial<Metric> = {}): Metric {
  return {
    name,
    target,
    role: 'decide',
    direction: 'both',
    group: '',
    tolerance: null,
    maxAgeMs: null,
    whenEmpty: 'error',
    onNaN: 'error',
    warmup: false,
    activeAbove: null,
    maxScaleUp: null,
    maxScaleDown: null,
    ...extra,
  };
}

export function policy(given: Partial<Policy>): Policy {
  return {
    name: 'record',
    service: 'record',
    enabled: true,
    pause: { mode: 'none' },
    dryRun: false,
    minReplicas: 0,
    maxReplicas: 2 ** 31 - 1,
    intervalMs: 15_000,
    metrics: [],
    combine: null,
    tolerance: { up: 0.1, down: 0.1 },
    scaleUp: noRules,
    scaleDown: noRules,
    growthCap: { factor: 2, floor: 4 },
    safeAfter: null,
    activation: null,
    panic: null,
    fallback: null,
    schedules: [],
    warmupMs: 300_000,
    readinessDelayMs: 30_000,
    budget: null,
    victims: 'youngest',
    ...given,
  };
}

const phases: Readonly<Record<string, InstancePhase>> = {
  running: 'running',
  pending: 'created',
  failed: 'failed',
  succeeded: 'exited',
};

export function instanceFrom(input: Input): InstanceObservation {
  const phase = phases[textOf(input, 'phase')] ?? 'running';
  return {
    id: textOf(input, 'id'),
    phase: input['deleting'] === true ? 'removing' : phase,
    ready: flagOrNull(input, 'ready'),
    startAgeMs: secondsOrNull(input, 'startAgeSeconds'),
    readyChangedAgeMs: secondsOrNull(input, 'readyTransitionAgeSeconds'),
  };
}

export function toleranceFrom(input: Input): { up: number; down: number } {
  const tolerance = objectOrNull(input, 'tolerance') ?? {};
  return { up: numberOf(tolerance, 'up', 0.1), down: numberOf(tolerance, 'down', 0.1) };
}

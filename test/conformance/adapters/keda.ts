// KEDA: fallback after failed reads, and leaving and entering the idle size.
import { stepActivation } from '../../../coordinator/decide/activation.ts';
import {
  countFailures,
  type Failures,
  fallbackSize,
  isFallbackDue,
} from '../../../coordinator/decide/fallback.ts';
import { applyGuards } from '../../../coordinator/decide/guards.ts';
import type { Fallback, Pause } from '../../../coordinator/decide/policy.ts';
import { normalizeFallback } from '../../../coordinator/policy/normalize.ts';
import { fallbackSchema } from '../../../coordinator/policy/policy-schema.ts';
import type { Adapter } from '../adapter.ts';
import { flagOf, type Input, numberOf, numberOrNull, secondsOf, secondsOrNull } from '../fields.ts';
import { policy } from './policies.ts';

const t = 0;

/** The fallback as a policy would read it; null when there is none, or when it would be refused. */
function fallbackFrom(input: Input): Fallback | null {
  const parsed = fallbackSchema.safeParse({
    afterFailures: input['failureThreshold'],
    replicas: input['fallbackReplicas'],
    behavior: input['behavior'] ?? undefined,
  });
  return parsed.success ? normalizeFallback(parsed.data) : null;
}

/** There, the size is reported as a metric: the size times its target. */
const fallback: Adapter = (input) => {
  const rules = fallbackFrom(input);
  const before: Failures = { count: numberOrNull(input, 'failuresBefore') ?? 0, sinceT: null };
  const failed = flagOf(input, 'readFailed');
  const failures = countFailures(before, failed, rules, t);
  const status = { failures: failures.count, health: failures.count > 0 ? 'failing' : 'happy' };
  if (!failed) return { ...status, value: numberOf(input, 'value'), fallbackUsed: false };
  if (!isFallbackDue(failures, rules, t)) return { ...status, error: true, fallbackUsed: false };
  const size = fallbackSize(rules.replicas, rules.behavior, numberOrNull(input, 'currentReplicas') ?? 0);
  return { ...status, value: size * numberOf(input, 'targetPerReplica'), fallbackUsed: true };
};

const activation: Adapter = (input) => {
  const n = numberOf(input, 'currentReplicas');
  const isActive = flagOf(input, 'active');
  const pause = pauseFrom(input);
  const step = stepActivation({
    n,
    proposal: n,
    low: numberOf(input, 'min', 0),
    activity: isActive ? 'active' : flagOf(input, 'sourceError') ? 'unknown' : 'inactive',
    forced: flagOf(input, 'forceActivation'),
    idleReplicas: numberOrNull(input, 'idleReplicas'),
    minWhenActive: 1,
    lastActiveAgeMs: secondsOrNull(input, 'lastActiveAgeSeconds'),
    toIdleAfterMs: secondsOf(input, 'cooldownSeconds', 300),
    firstSeenAgeMs: null,
    initialMs: 0,
    pausedIn: pause.mode === 'in' || pause.mode === 'both',
    pausedOut: pause.mode === 'out' || pause.mode === 'both',
  });
  const guarded = applyGuards({
    policy: policy({}),
    observations: { target: { ok: true, wanted: n }, instances: [], readings: {} },
    n,
    count: step.count,
    observed: n,
    ready: n,
    backOff: null,
    pause: pause.mode === 'both' ? pause : { mode: 'none' },
    t,
  });
  return { replicas: guarded.count, activeCondition: pause.mode !== 'both' && step.active };
};

function pauseFrom(input: Input): Pause {
  const isIn = flagOf(input, 'pauseScaleIn');
  const isOut = flagOf(input, 'pauseScaleOut');
  if (flagOf(input, 'paused')) return { mode: 'both' };
  if (isIn) return { mode: 'in' };
  return isOut ? { mode: 'out' } : { mode: 'none' };
}

export const keda: Readonly<Record<string, Adapter>> = { fallback, activation };

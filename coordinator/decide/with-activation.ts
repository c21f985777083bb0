// Activation as one step of an evaluation: is the service used, and what follows for its size?
import { type ActivationCause, type Activity, stepActivation } from './activation.ts';
import type { Combined } from './combine-metrics.ts';
import type { Plan } from './plan.ts';
import { classRulesOf } from './proposals/context.ts';
import { activityOf, type MetricRecord } from './read-metrics.ts';
import type { ReasonCode, Turn } from './reasons.ts';
import type { Scene } from './scene.ts';

export type Woken = {
  readonly count: number;
  /** Least size after smoothing. */
  readonly least: number;
  /** Nothing is smoothed: the service is idle, or goes there. */
  readonly isFinal: boolean;
  readonly turn: Turn | null;
  /** The reason, when it is this that moves the size; null: the metrics do. */
  readonly code: ReasonCode | null;
  readonly step: Plan['activation'];
};

const activationCodes: Readonly<Record<ActivationCause, ReasonCode>> = {
  woken: 'Woken',
  active: 'KeptActive',
  'held-unknown': 'ActivityUnknown',
  'to-idle': 'ToIdle',
  'idle-soon': 'IdleSoon',
  idle: 'Idle',
  'not-idling': 'KeptActive',
  'to-minimum': 'AtMinimum',
  paused: 'Paused',
};

/** Causes that are the reason of the decision, whatever the metrics propose. */
const decisive: ReadonlySet<ActivationCause> = new Set(['woken', 'to-idle', 'idle']);

export function withActivation(
  scene: Scene,
  combined: Combined,
  metrics: readonly MetricRecord[],
  proposal: number,
): Woken {
  const { inputs, n, t, bounds, pause } = scene;
  const { policy, state, observations } = inputs;
  const { activation } = policy;
  if (activation === null || combined.usedFallback) {
    return { count: proposal, least: 0, isFinal: false, turn: null, code: null, step: null };
  }
  const activity = activityOfAll(scene, metrics);
  const step = stepActivation({
    n,
    proposal,
    low: bounds.low,
    activity,
    forced: observations.controls?.forceActive === true,
    idleReplicas: activation.idleReplicas,
    minWhenActive: activation.minWhenActive,
    lastActiveAgeMs: state.lastActiveAt === null ? null : t - state.lastActiveAt,
    toIdleAfterMs: activation.toIdleAfterMs,
    firstSeenAgeMs: t - (state.firstSeenAt ?? t),
    // Never seen in use may also mean that the state was lost: then nothing falls for a full down window.
    initialMs: Math.max(activation.initialMs, policy.scaleDown.stabilizationMs),
    pausedIn: pause.mode === 'in' || pause.mode === 'both',
    pausedOut: pause.mode === 'out' || pause.mode === 'both',
  });
  const isFinal =
    step.cause === 'to-idle' ||
    step.cause === 'idle' ||
    (step.cause === 'held-unknown' && step.count === n && scene.isIdle);
  const turn =
    step.count === proposal ? null : { code: activationCodes[step.cause], from: proposal, to: step.count };
  return {
    count: step.count,
    least: step.cause === 'woken' ? Math.max(bounds.low, activation.minWhenActive, 1) : 0,
    isFinal,
    turn,
    code: decisive.has(step.cause) ? activationCodes[step.cause] : null,
    step: { ...step, activity },
  };
}

function activityOfAll({ inputs, bounds }: Scene, metrics: readonly MetricRecord[]): Activity {
  if (bounds.scheduledFloor > 0) return 'active';
  let unknown = false;
  for (const [index, metric] of inputs.policy.metrics.entries()) {
    const { activeAbove } = metric;
    const record = metrics[index];
    if (activeAbove === null || record === undefined) continue;
    if (record.proposal.outcome === 'abstain') continue;
    // Whether an instance is warm says nothing of whether it is used.
    const rules = { ...classRulesOf(metric, inputs.policy), warmup: false };
    const activity = activityOf(record, activeAbove, inputs.observations.instances, rules);
    if (activity === 'active') return 'active';
    if (activity === 'unknown') unknown = true;
  }
  return unknown ? 'unknown' : 'inactive';
}

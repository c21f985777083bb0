// Metrics, combined; then panic, activation and smoothing (AUTOSCALING.md, 4 to 8).
import { type ActivationCause, type Activity, stepActivation } from './activation.ts';
import { type Combined, combineMetrics } from './combine-metrics.ts';
import { startPanic, stepPanic } from './panic.ts';
import type { Plan } from './plan.ts';
import { isCritical } from './proposals/alert.ts';
import { toleranceOf } from './proposals/propose.ts';
import { activityValue, loadOf, type MetricContext, type MetricRecord, readMetrics } from './read-metrics.ts';
import type { ReasonCode, Turn } from './reasons.ts';
import type { PanicRecord } from './record.ts';
import { clamp } from './saturate.ts';
import type { Scene } from './scene.ts';
import { smooth } from './smooth.ts';
import type { Recommendation } from './stabilize.ts';
import type { PolicyState } from './state.ts';
import { recordValue, weightedMean, windowMean } from './window-average.ts';

type Load = { readonly load: number; readonly toleranceUp: number };

export function planByMetrics(scene: Scene): Plan {
  const { inputs, n, t, bounds } = scene;
  const { policy, state, observations } = inputs;
  const context = contextOf(scene);
  const { metrics, memories } = readMetrics(context, observations.readings, state.metrics);
  const combined = combineMetrics(context, metrics, state.failures);
  const loads = loadsOf(scene, metrics);
  const turns: Turn[] = [];

  const panicked = withPanic(scene, combined, loads);
  if (panicked.count !== combined.count)
    turns.push({ code: 'Panic', from: combined.count, to: panicked.count });

  const woken = withActivation(scene, combined, metrics, panicked.count);
  if (woken.turn !== null) turns.push(woken.turn);

  const shared = {
    wanted: combined.wanted,
    code: combined.code,
    detail: null,
    guarded: true,
    metrics,
    combined,
    panic: panicked.record,
    activation: woken.step,
  };
  const remember: Partial<PolicyState> = {
    metrics: memories,
    failures: combined.failures,
    panic: panicked.state,
    firstSeenAt: state.firstSeenAt ?? t,
    lastActiveAt: woken.step?.active === true ? t : state.lastActiveAt,
  };
  if (woken.isFinal) {
    return {
      ...shared,
      count: woken.count,
      turns,
      smoothed: null,
      remember: { ...remember, recommendations: panicked.history },
    };
  }

  const {
    turns: smoothTurns,
    history,
    ...smoothed
  } = smooth({
    policy,
    state,
    history: panicked.history,
    n,
    desired: woken.count,
    recorded: combined.count,
    low: bounds.low,
    high: bounds.high,
    loads,
    urgent: panicked.state?.panic != null || isCritical(observations.alerts),
    t,
  });
  turns.push(...smoothTurns);
  const count = clamp(Math.max(smoothed.count, woken.least), bounds.low, bounds.high);
  if (count !== smoothed.count)
    turns.push({ code: count > smoothed.count ? 'Woken' : 'AtMaximum', from: smoothed.count, to: count });
  return {
    ...shared,
    count,
    turns,
    smoothed,
    remember: { ...remember, recommendations: isHeld(combined) ? panicked.history : history },
  };
}

/** While data is missing nothing is recommended, so nothing is remembered. */
function isHeld(combined: Combined): boolean {
  return combined.code === 'HeldByMissingData' || combined.code === 'AllSourcesFailed';
}

function contextOf(scene: Scene): MetricContext {
  const { inputs, n, observed, ready, t, bounds, startupMs } = scene;
  const { policy, observations, now } = inputs;
  return {
    policy,
    n,
    observed,
    ready,
    instances: observations.instances,
    alerts: observations.alerts ?? [],
    t,
    wallMs: now.wallMs,
    startupMs,
    low: bounds.low,
    high: bounds.high,
  };
}

function loadsOf({ inputs }: Scene, metrics: readonly MetricRecord[]): Load[] {
  const loads: Load[] = [];
  for (const [index, metric] of inputs.policy.metrics.entries()) {
    const record = metrics[index];
    const load = record === undefined || record.role !== 'decide' ? null : loadOf(record.proposal);
    if (load !== null) loads.push({ load, toleranceUp: toleranceOf(metric, inputs.policy).up });
  }
  return loads;
}

type Panicked = {
  readonly count: number;
  readonly record: PanicRecord | null;
  readonly state: PolicyState['panic'];
  readonly history: readonly Recommendation[];
};

/** Panic looks at the largest demand of all metrics, counted in instances. */
function withPanic(scene: Scene, { count }: Combined, loads: readonly Load[]): Panicked {
  const { inputs, t, ready, readySoon, history } = scene;
  const { policy, state } = inputs;
  const { panic: rules } = policy;
  if (rules === null) return { count, record: null, state: null, history };
  const before = state.panic ?? { panic: startPanic(ready, t), demand: null };
  const bucketMs = Math.max(1000, policy.intervalMs);
  const index = Math.floor(t / bucketMs);
  const stableRules = { size: Math.ceil(rules.stableMs / bucketMs), mode: 'gauge' } as const;
  const shortRules = { size: Math.ceil(rules.windowMs / bucketMs), mode: 'gauge' } as const;
  const demand =
    loads.length === 0
      ? before.demand
      : recordValue(before.demand, index, Math.max(...loads.map(({ load }) => load)), stableRules);
  const average = rules.average === 'weighted' ? weightedMean : windowMean;
  const stable = average(demand, index, stableRules);
  const short = average(demand, index, shortRules);
  if (stable === null || short === null) {
    const held = Math.max(count, before.panic?.highest ?? 0);
    return { count: held, record: null, state: { ...before, demand }, history };
  }
  const step = stepPanic(
    {
      stable,
      short,
      targetPerInstance: 1,
      ready: readySoon,
      threshold: rules.threshold,
      stableMs: rules.stableMs,
      maxScaleUpRate: rules.maxScaleUpRate,
      maxScaleDownRate: rules.maxScaleDownRate,
      minWhenActive: policy.activation?.minWhenActive ?? 0,
    },
    before.panic,
    t,
  );
  // What panic held is handed over to the down window, at the time at which it was reached: no cliff.
  const handedOver =
    before.panic !== null && step.state === null
      ? [...history, { replicas: before.panic.highest, at: before.panic.highestAt }]
      : history;
  return {
    count: step.state === null ? count : Math.max(count, step.count),
    record: { ...step, stable, short },
    state: { panic: step.state, demand },
    history: handedOver,
  };
}

type Woken = {
  readonly count: number;
  /** Least size after smoothing. */
  readonly least: number;
  /** Nothing is smoothed: the service is idle, or goes there. */
  readonly isFinal: boolean;
  readonly turn: Turn | null;
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

function withActivation(
  scene: Scene,
  combined: Combined,
  metrics: readonly MetricRecord[],
  proposal: number,
): Woken {
  const { inputs, n, t, bounds, pause } = scene;
  const { policy, state, observations } = inputs;
  const { activation } = policy;
  if (activation === null || combined.usedFallback) {
    return { count: proposal, least: 0, isFinal: false, turn: null, step: null };
  }
  const activity = activityOf(scene, metrics);
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
    initialMs: activation.initialMs,
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
    step: { ...step, activity },
  };
}

function activityOf({ inputs, bounds }: Scene, metrics: readonly MetricRecord[]): Activity {
  if (bounds.scheduledFloor > 0) return 'active';
  let unknown = false;
  for (const [index, { activeAbove }] of inputs.policy.metrics.entries()) {
    const record = metrics[index];
    if (activeAbove === null || record === undefined) continue;
    if (record.proposal.outcome === 'abstain') continue;
    const value = activityValue(record, inputs.observations.instances);
    if (value === undefined) unknown = true;
    else if (value > activeAbove) return 'active';
  }
  return unknown ? 'unknown' : 'inactive';
}

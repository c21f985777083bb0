// Metrics, combined; then panic, activation and smoothing (AUTOSCALING.md, 4 to 8).
import { type Combined, combineMetrics } from './combine-metrics.ts';
import type { Plan } from './plan.ts';
import { isCritical } from './proposals/alert.ts';
import { toleranceOf } from './proposals/context.ts';
import { loadOf, type MetricContext, type MetricRecord, readMetrics } from './read-metrics.ts';
import type { Turn } from './reasons.ts';
import { clamp } from './saturate.ts';
import type { Scene } from './scene.ts';
import { type Load, smooth } from './smooth.ts';
import type { PolicyState } from './state.ts';
import { withActivation } from './with-activation.ts';
import { withPanic } from './with-panic.ts';

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
    code: woken.code ?? combined.code,
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

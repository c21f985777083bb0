// Weighted alerts, integrated over time. Each firing alert adds its weight every second; when none changes the score, it decays to 0.
// Once the score leaves the band, its slope since the last step is the signal, from which a plan makes a count; then it starts anew.
import { weightOf } from '../alerts.ts';
import type { MetricTarget } from '../policy.ts';
import { saturate } from '../saturate.ts';
import type { MetricMemory } from '../state.ts';
import type { ProposeContext, Proposed } from './context.ts';
import { changedTo, measure, type Proposal } from './proposal.ts';

/** What a weight per second adds in one cycle. */
export function weightPerCycle(weightPerSecond: number, cycleSeconds: number): number {
  return weightPerSecond * cycleSeconds;
}

export function addWeights(
  score: number,
  firingWeightsPerSecond: readonly number[],
  cycleSeconds: number,
): { score: number; changed: boolean } {
  const sum = firingWeightsPerSecond.reduce(
    (total, weight) => total + weightPerCycle(weight, cycleSeconds),
    score,
  );
  return { score: sum, changed: sum !== score };
}

/** What moves `score` toward 0 by at most `most`. */
export function dampingOf(score: number, most: number): number {
  if (score === 0) return 0;
  return score > 0 ? -Math.min(score, most) : Math.min(-score, most);
}

export function decayScore(score: number, decayPerSecond: number, cycleSeconds: number): number {
  return score + dampingOf(score, weightPerCycle(decayPerSecond, cycleSeconds));
}

export function leavesBand(score: number, upAbove: number, downBelow: number): boolean {
  return score > upAbove || score < downBelow;
}

/** Change of the score per second since the last step; 0 inside the band. */
export function signalOf(
  score: number,
  since: { score: number; elapsedSeconds: number },
  band: { upAbove: number; downBelow: number },
): number {
  if (!leavesBand(score, band.upAbove, band.downBelow) || since.elapsedSeconds <= 0) return 0;
  return (score - since.score) / since.elapsedSeconds;
}

/** The same step whatever the size of the signal. */
export function planConstant(signal: number, n: number, step: number): number {
  if (signal === 0) return n;
  return saturate(signal > 0 ? n + step : n - step);
}

/** A share of the size, at least one. */
export function planLinear(signal: number, n: number, weight: number): number {
  if (signal === 0) return n;
  const change = Math.ceil(signal * n * weight);
  return saturate(n + (change === 0 ? Math.sign(signal) : change));
}

export function proposeByScore(
  target: Extract<MetricTarget, { kind: 'alertScore' }>,
  memory: MetricMemory | undefined,
  { alerts, n, t }: ProposeContext,
): Proposed {
  const before = memory?.score ?? { score: 0, at: t, stepScore: 0, stepAt: t };
  const cycleSeconds = (t - before.at) / 1000;
  const weights = alerts
    .filter((alert) => alert.ageMs <= target.ttlMs)
    .map((alert) => weightOf(alert.name, target.weights));
  const added = addWeights(before.score, weights, cycleSeconds);
  const score = added.changed ? added.score : decayScore(before.score, target.decayPerSecond, cycleSeconds);
  const signal = signalOf(
    score,
    { score: before.stepScore, elapsedSeconds: (t - before.stepAt) / 1000 },
    target,
  );
  if (signal === 0) {
    const proposal: Proposal = {
      outcome: 'keep',
      cause: 'not-triggered',
      load: null,
      measured: measure(score),
    };
    return { proposal, memory: { ...memory, score: { ...before, score, at: t } } };
  }
  const { plan } = target;
  const count =
    plan.mode === 'constant' ? planConstant(signal, n, plan.step) : planLinear(signal, n, plan.weight);
  return {
    proposal: changedTo(n, count, score),
    memory: { ...memory, score: { score: 0, at: t, stepScore: 0, stepAt: t } },
  };
}

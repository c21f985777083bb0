// The situation that an evaluation starts from: time, the size now, who is there, and the range in force.
import { type EffectiveBounds, effectiveBounds } from './bounds.ts';
import { isCounted, isServing } from './classes.ts';
import type { Pause } from './policy.ts';
import type { DecisionInputs } from './record.ts';
import type { Recommendation } from './stabilize.ts';
import { advance, type Timeline } from './timeline.ts';

export type Scene = {
  readonly inputs: DecisionInputs;
  readonly timeline: Timeline;
  readonly t: number;
  readonly n: number;
  /** Instances that there are, those that serve, and those that serve or will soon. */
  readonly observed: number;
  readonly ready: number;
  readonly readySoon: number;
  readonly outOfBand: boolean;
  readonly bounds: EffectiveBounds;
  readonly startupMs: number;
  readonly pause: Pause;
  readonly override: number | null;
  readonly dryRun: boolean;
  /** The size that the policy goes to when nothing happens, and whether it is there by its own doing. */
  readonly idleSize: number;
  readonly isIdle: boolean;
  readonly history: readonly Recommendation[];
};

export function setScene(inputs: DecisionInputs): Scene {
  const { policy, state, observations, now } = inputs;
  const timeline = advance(state.timeline, now);
  const { t } = timeline;
  const { target, instances, controls, startupMs = 0 } = observations;
  const n = target.ok ? target.wanted : (state.wanted ?? 0);
  const outOfBand = target.ok && state.wanted !== null && state.wanted !== n;
  const { counted, ready, starting } = count(inputs);
  const idleSize = policy.activation?.idleReplicas ?? 0;
  return {
    inputs,
    timeline,
    t,
    n,
    observed: (target.ok ? target.observed : undefined) ?? counted,
    ready,
    readySoon: ready + starting,
    outOfBand,
    bounds: effectiveBounds(policy, now.wallMs, startupMs),
    startupMs,
    pause: pauseNow(inputs),
    override: isOver(controls?.override?.untilWallMs, now.wallMs)
      ? null
      : (controls?.override?.replicas ?? null),
    dryRun: policy.dryRun || controls?.dryRun === true,
    idleSize,
    isIdle: state.idle && n === idleSize,
    history: startingHistory(inputs, n, outOfBand, t),
  };

  function count({ policy: { warmupMs } }: DecisionInputs): {
    counted: number;
    ready: number;
    starting: number;
  } {
    const sums = { counted: 0, ready: 0, starting: 0 };
    for (const instance of instances) {
      if (!isCounted(instance)) continue;
      sums.counted += 1;
      if (isServing(instance)) sums.ready += 1;
      else if (instance.startAgeMs === null || instance.startAgeMs < warmupMs) sums.starting += 1;
    }
    return sums;
  }
}

function pauseNow({ policy, observations, now }: DecisionInputs): Pause {
  const given = observations.controls?.pause;
  return given === undefined || isOver(given.untilWallMs, now.wallMs) ? policy.pause : given.pause;
}

function isOver(untilWallMs: number | undefined, wallMs: number): boolean {
  return untilWallMs !== undefined && wallMs >= untilWallMs;
}

/** So many intervals without an evaluation are a silence, where the window is shorter than that. */
const missedIntervals = 3;

/**
 * Without any history, after a silence as long as the down window, or when somebody else set the size: the size that is found counts as
 * recommended now. So neither a restart nor a person's change is followed by a step down at once.
 */
function startingHistory(
  { policy, state }: DecisionInputs,
  n: number,
  outOfBand: boolean,
  t: number,
): readonly Recommendation[] {
  const here = { replicas: n, at: t };
  if (state.recommendations === null) return [here];
  const silentMs = t - (state.timeline?.t ?? t);
  const windowMs = policy.scaleDown.stabilizationMs;
  const forgot = windowMs > 0 && silentMs >= windowMs && silentMs > missedIntervals * policy.intervalMs;
  return forgot || outOfBand ? [...state.recommendations, here] : state.recommendations;
}

// The range in force: the policy's own, tightened by schedules. Overlapping schedules: the highest floor, the lowest ceiling; a floor
// wins over a ceiling, and the policy's maximum over everything.
import type { Policy } from './policy.ts';
import { isActive, openEndedStart, rampedValue, type Schedule } from './schedule.ts';

export type EffectiveBounds = {
  readonly low: number;
  readonly high: number;
  /** Largest floor that a schedule asks for now; 0: none. */
  readonly scheduledFloor: number;
  /** Names of the schedules that have a say now. */
  readonly schedules: readonly string[];
};

export function effectiveBounds(
  policy: Pick<Policy, 'minReplicas' | 'maxReplicas' | 'schedules'>,
  wallMs: number,
  startupMs: number,
): EffectiveBounds {
  const { minReplicas, maxReplicas, schedules } = policy;
  let floor = 0;
  let ceiling = maxReplicas;
  const names: string[] = [];
  const openEnded = latestOpenEnded(schedules, wallMs, startupMs);
  for (const schedule of schedules) {
    const isOpenEnded = openEndedStart(schedule, wallMs, startupMs) !== null;
    if (isOpenEnded && schedule !== openEnded) continue;
    const least = schedule.min === null ? 0 : rampedValue(schedule, schedule.min, wallMs, startupMs);
    const isInForce = isActive(schedule, wallMs, startupMs);
    if (isInForce && schedule.max !== null) ceiling = Math.min(ceiling, schedule.max);
    floor = Math.max(floor, least);
    if (isInForce || least > 0) names.push(schedule.name);
  }
  const low = Math.min(maxReplicas, Math.max(minReplicas, floor));
  return {
    low,
    high: Math.max(low, ceiling),
    scheduledFloor: Math.min(maxReplicas, floor),
    schedules: names,
  };
}

/** Of the schedules without end, only the one that started last is in force. */
function latestOpenEnded(schedules: readonly Schedule[], wallMs: number, startupMs: number): Schedule | null {
  let latest: Schedule | null = null;
  let started = Number.NEGATIVE_INFINITY;
  for (const schedule of schedules) {
    const start = openEndedStart(schedule, wallMs, startupMs);
    if (start === null || start < started) continue;
    latest = schedule;
    started = start;
  }
  return latest;
}

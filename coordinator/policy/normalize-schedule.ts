// One schedule, with the policy's time zone and holidays filled in.
import type { Schedule, When } from '../decide/schedule.ts';
import type { PolicyConfig } from './policy-schema.ts';
import { dayNames, type ScheduleConfig } from './schedule-schema.ts';

export type ScheduleSurroundings = Pick<PolicyConfig, 'timeZone' | 'holidays'>;

export function normalizeSchedule(
  config: ScheduleConfig,
  index: number,
  around: ScheduleSurroundings,
): Schedule {
  const { holidays } = config;
  return {
    name: config.name ?? `schedule ${index + 1}`,
    when: whenOf(config),
    timeZone: config.timeZone ?? around.timeZone ?? 'UTC',
    min: config.minReplicas ?? null,
    max: config.maxReplicas ?? null,
    value: config.minReplicas ?? null,
    rampMs: config.ramp,
    rampSteps: config.rampSteps,
    leadMs: config.leadTime,
    holidays: holidays === 'ignore' ? null : { mode: holidays, dates: around.holidays },
  };
}

function whenOf(config: ScheduleConfig): When {
  const { start, end, days, startTime, endTime, date, endDate, duration } = config;
  if (start !== undefined) return { type: 'cron', start, end: end ?? null, durationMs: duration ?? null };
  if (days !== undefined) {
    return {
      type: 'weekly',
      days: days.map((day) => dayNames.indexOf(day)),
      startMinute: startTime ?? 0,
      endMinute: endTime ?? null,
      durationMs: duration ?? 0,
    };
  }
  return { type: 'once', startMs: date ?? 0, endMs: endDate ?? null, durationMs: duration ?? 0 };
}

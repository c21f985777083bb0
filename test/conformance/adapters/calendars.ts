// Calendars of Nomad, KEDA, Zalando and sokar, as schedules of a policy.
import { effectiveBounds } from '../../../coordinator/decide/bounds.ts';
import { isActive, rampedValue, type Schedule } from '../../../coordinator/decide/schedule.ts';
import { normalizeSchedule } from '../../../coordinator/policy/normalize-schedule.ts';
import { dayNames, scheduleSchema } from '../../../coordinator/policy/schedule-schema.ts';
import type { Adapter } from '../adapter.ts';
import { type Input, numberOf, numberOrNull, objectsOf, textOf, textOrNull, textsOf } from '../fields.ts';

/** The schedule as a policy would read it, or the name of the field that was refused. */
function parseSchedule(written: Input): { schedule: Schedule } | { refused: string } {
  const given = Object.fromEntries(
    Object.entries(written).filter(([, value]) => value !== null && value !== undefined),
  );
  const parsed = scheduleSchema.safeParse(given);
  if (!parsed.success) return { refused: String(parsed.error.issues[0]?.path[0] ?? 'schedule') };
  return { schedule: normalizeSchedule(parsed.data, 0, { timeZone: undefined, holidays: [] }) };
}

function seconds(value: number | null): string | null {
  return value === null ? null : `${value}s`;
}

const scheduleActive: Adapter = (input) => {
  const parsed = parseSchedule({
    start: input['start'],
    end: input['end'],
    duration: seconds(numberOrNull(input, 'durationSeconds')),
    timeZone: input['timezone'],
    minReplicas: 1,
  });
  if ('refused' in parsed) return { error: parsed.refused };
  return { active: isActive(parsed.schedule, Date.parse(textOf(input, 'now'))) };
};

const scheduleMetric: Adapter = (input) => {
  const desired = numberOf(input, 'desired');
  const parsed = parseSchedule({
    start: input['start'],
    end: input['end'],
    timeZone: input['timezone'],
    minReplicas: desired,
  });
  if ('refused' in parsed) return { error: parsed.refused };
  const now = Date.parse(textOf(input, 'now'));
  return { active: isActive(parsed.schedule, now), value: rampedValue(parsed.schedule, desired, now) };
};

/** There, a time zone, an end and a size belong to every schedule; a policy may give them elsewhere. */
const scheduleValidate: Adapter = (input) => {
  const parsed = parseSchedule({
    start: input['start'],
    end: input['end'],
    timeZone: input['timezone'],
    minReplicas: numberIfWritten(input['desired']),
  });
  const isComplete = ['end', 'timezone', 'desired'].every(
    (key) => input[key] !== undefined && input[key] !== null && input[key] !== '',
  );
  return { valid: 'schedule' in parsed && isComplete };
};

/** Sizes are texts in some sources. */
function numberIfWritten(value: unknown): unknown {
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
}

const scheduleValue: Adapter = (input) => {
  const now = Date.parse(textOf(input, 'now'));
  const values: number[] = [];
  for (const entry of objectsOf(input, 'schedules')) {
    const parsed = parseSchedule({
      ...whenFrom(entry, now, input),
      duration: lengthOf(numberOrNull(entry, 'durationMinutes')),
      ramp: seconds(numberOrNull(input, 'rampWindowSeconds')),
      rampSteps: input['rampSteps'],
      minReplicas: 1,
    });
    if ('refused' in parsed) return { error: parsed.refused };
    values.push(rampedValue(parsed.schedule, numberOf(entry, 'value'), now));
  }
  return { value: Math.max(0, ...values) };
};

/** A window always has some length here, and without one of its own the length of none. */
function lengthOf(minutes: number | null): string {
  return minutes === null || minutes === 0 ? '1s' : `${minutes}m`;
}

function whenFrom(entry: Input, now: number, input: Input): Input {
  if (textOf(entry, 'type') === 'weekly') {
    return {
      days: textsOf(entry, 'days'),
      startTime: entry['startTime'],
      endTime: entry['endTime'],
      timeZone: textOrNull(entry, 'timezone') ?? textOf(input, 'defaultTimezone'),
    };
  }
  return {
    date: instantAt(now, numberOrNull(entry, 'startOffsetSeconds')) ?? entry['date'],
    endDate: instantAt(now, numberOrNull(entry, 'endOffsetSeconds')) ?? entry['endDate'],
  };
}

function instantAt(now: number, offsetSeconds: number | null): string | null {
  return offsetSeconds === null ? null : new Date(now + offsetSeconds * 1000).toISOString();
}

const alwaysOn = { start: '* * * * *', duration: '1h', timeZone: 'UTC' };

const scheduleBounds: Adapter = (input) => {
  const parsed = parseSchedule({ ...alwaysOn, minReplicas: input['min'], maxReplicas: input['max'] });
  if ('refused' in parsed) return { error: parsed.refused };
  const planned = numberOf(input, 'planned');
  const { low, high } = effectiveBounds(
    { minReplicas: 0, maxReplicas: 2 ** 31 - 1, schedules: [parsed.schedule] },
    0,
    0,
  );
  return { replicas: Math.max(low, Math.min(high, planned)) };
};

/** A Sunday at midnight, UTC. */
const someSunday = Date.UTC(2024, 0, 7);
const dayMs = 86_400_000;
const minutesInDay = 1440;

/** The end minute is inclusive there, so the window ends a minute later here. */
const weeklyWindow: Adapter = (input) => {
  const now = someSunday + dayNumber(textOf(input, 'day')) * dayMs + numberOf(input, 'minute') * 60_000;
  for (const window of objectsOf(input, 'windows')) {
    const parsed = parseSchedule({
      days: [textOf(window, 'day')],
      startTime: clockTime(numberOf(window, 'startMinute')),
      endTime: clockTime(Math.min(minutesInDay, numberOf(window, 'endMinute') + 1)),
      timeZone: 'UTC',
      minReplicas: window['min'],
      maxReplicas: window['max'],
    });
    if ('refused' in parsed) return { error: parsed.refused };
    if (!isActive(parsed.schedule, now)) continue;
    return { min: parsed.schedule.min, max: parsed.schedule.max };
  }
  return { min: null, max: null };
};

function dayNumber(name: string): number {
  return Math.max(0, [...dayNames].map(String).indexOf(name));
}

function clockTime(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}

export const calendars: Readonly<Record<string, Adapter>> = {
  schedule_active: scheduleActive,
  schedule_metric: scheduleMetric,
  schedule_validate: scheduleValidate,
  schedule_value: scheduleValue,
  schedule_bounds: scheduleBounds,
  weekly_window: weeklyWindow,
};

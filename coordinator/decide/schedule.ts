// Calendar windows. A schedule is in force from a start (inclusive) to an end (exclusive):
//
//   cron    when the last start is later than the last end; or for a duration; or, with neither, until another such schedule starts
//   weekly  on some days of the week, from a time to a time, or for a duration; past midnight when the end is not after the start
//   once    from an instant to an instant, or for a duration
//
// With an end and a duration the later one counts. Around the window its value ramps in steps:
//
//        ┌───────────────┐            floor(elapsed / ramp x steps) x value / steps before the start,
//      ┌─┘               └─┐          and the mirror image after the end
//    ┌─┘                   └─┐
//   ─┴───────────────────────┴─
//    ramp  start       end  ramp
import { runsAround } from './cron.ts';
import { instantOf, localDay } from './zoned-time.ts';

export type When =
  | {
      readonly type: 'cron';
      readonly start: string;
      readonly end: string | null;
      readonly durationMs: number | null;
    }
  | {
      readonly type: 'weekly';
      /** 0: Sunday. */
      readonly days: readonly number[];
      /** Minutes after local midnight; 1440 is the end of the day. */
      readonly startMinute: number;
      readonly endMinute: number | null;
      readonly durationMs: number;
    }
  | {
      readonly type: 'once';
      readonly startMs: number;
      readonly endMs: number | null;
      readonly durationMs: number;
    };

export type Schedule = {
  readonly name: string;
  readonly when: When;
  readonly timeZone: string;
  readonly min: number | null;
  readonly max: number | null;
  /** For a metric of kind `schedule`: the size itself. */
  readonly value: number | null;
  readonly rampMs: number;
  readonly rampSteps: number;
  /** Starts this much earlier; `auto`: by the measured start-up time. */
  readonly leadMs: number | 'auto';
  /** On these local dates the schedule is not in force (`skip`), or is in force only then (`only`). */
  readonly holidays: { readonly mode: 'skip' | 'only'; readonly dates: readonly string[] } | null;
};

/** The window in force now, or the gap between two windows. */
type Place =
  | { readonly inside: true; readonly startMs: number }
  | { readonly inside: false; readonly lastEndMs: number | null; readonly nextStartMs: number | null };

const dayMs = 86_400_000;

export function isActive(schedule: Schedule, wallMs: number, startupMs = 0): boolean {
  return isInForceToday(schedule, wallMs) && locate(schedule, wallMs, leadOf(schedule, startupMs)).inside;
}

/** `value` inside the window, a share of it on the ramps, 0 elsewhere. */
export function rampedValue(schedule: Schedule, value: number, wallMs: number, startupMs = 0): number {
  if (!isInForceToday(schedule, wallMs)) return 0;
  const place = locate(schedule, wallMs, leadOf(schedule, startupMs));
  if (place.inside) return value;
  const { rampMs, rampSteps } = schedule;
  if (rampMs === 0) return 0;
  const up =
    place.nextStartMs === null ? 0 : stepsIn(wallMs - (place.nextStartMs - rampMs), rampMs, rampSteps);
  const down = place.lastEndMs === null ? 0 : stepsIn(place.lastEndMs + rampMs - wallMs, rampMs, rampSteps);
  return Math.trunc(Math.max(up, down) * (value / rampSteps));
}

function stepsIn(elapsedMs: number, rampMs: number, steps: number): number {
  return elapsedMs <= 0 || elapsedMs > rampMs ? 0 : Math.floor((elapsedMs / rampMs) * steps);
}

/** The last start of a cron schedule without end and duration. */
export function openEndedStart(schedule: Schedule, wallMs: number, startupMs = 0): number | null {
  const { when, timeZone } = schedule;
  if (when.type !== 'cron' || when.end !== null || when.durationMs !== null) return null;
  if (!isInForceToday(schedule, wallMs)) return null;
  const leadMs = leadOf(schedule, startupMs);
  const started = runsAround(when.start, timeZone, wallMs + leadMs).previous;
  return started === null ? null : started - leadMs;
}

function leadOf(schedule: Schedule, startupMs: number): number {
  return schedule.leadMs === 'auto' ? startupMs : schedule.leadMs;
}

function isInForceToday(schedule: Schedule, wallMs: number): boolean {
  if (schedule.holidays === null) return true;
  const isHoliday = schedule.holidays.dates.includes(localDay(schedule.timeZone, wallMs).date);
  return isHoliday === (schedule.holidays.mode === 'only');
}

function locate(schedule: Schedule, wallMs: number, leadMs: number): Place {
  const { when, timeZone } = schedule;
  switch (when.type) {
    case 'cron':
      return locateCron(when, timeZone, wallMs, leadMs);
    case 'weekly':
      return locateAmong(weeklyWindows(schedule, wallMs), wallMs, leadMs);
    case 'once': {
      const endMs = Math.max(when.endMs ?? when.startMs, when.startMs + when.durationMs);
      return locateAmong([{ startMs: when.startMs, endMs }], wallMs, leadMs);
    }
  }
}

function locateCron(
  when: Extract<When, { type: 'cron' }>,
  zone: string,
  wallMs: number,
  leadMs: number,
): Place {
  const starts = runsAround(when.start, zone, wallMs + leadMs);
  const nextStartMs = starts.next === null ? null : starts.next - leadMs;
  if (starts.previous === null) return { inside: false, lastEndMs: null, nextStartMs };
  const startMs = starts.previous - leadMs;
  if (when.end === null && when.durationMs === null) return { inside: true, startMs };
  const endByDuration =
    when.durationMs === null ? Number.NEGATIVE_INFINITY : starts.previous + when.durationMs;
  if (when.end === null) {
    if (wallMs < endByDuration) return { inside: true, startMs };
    return { inside: false, lastEndMs: endByDuration, nextStartMs };
  }
  const lastEnd = runsAround(when.end, zone, wallMs).previous;
  if (lastEnd === null || starts.previous > lastEnd || wallMs < endByDuration)
    return { inside: true, startMs };
  // The end that closed the window is the first one after its start, not the last one that went by.
  const closed = runsAround(when.end, zone, starts.previous).next ?? lastEnd;
  return { inside: false, lastEndMs: Math.max(closed, endByDuration), nextStartMs };
}

type Window = { readonly startMs: number; readonly endMs: number };

function locateAmong(windows: readonly Window[], wallMs: number, leadMs: number): Place {
  let lastEndMs: number | null = null;
  let nextStartMs: number | null = null;
  for (const { startMs, endMs } of windows) {
    const start = startMs - leadMs;
    if (start <= wallMs && wallMs < endMs) return { inside: true, startMs: start };
    if (endMs <= wallMs) lastEndMs = Math.max(lastEndMs ?? endMs, endMs);
    if (start > wallMs) nextStartMs = Math.min(nextStartMs ?? start, start);
  }
  return { inside: false, lastEndMs, nextStartMs };
}

/** Windows of a schedule around an instant, for as long as the answer is the same. */
type Around = { readonly fromMs: number; readonly toMs: number; readonly windows: readonly Window[] };

const around = new WeakMap<Schedule, Around>();

/** Windows that begin on the days that can matter now; kept for some hours, since time zones are slow to ask. */
function weeklyWindows(schedule: Schedule, wallMs: number): readonly Window[] {
  const known = around.get(schedule);
  if (known !== undefined && known.fromMs <= wallMs && wallMs < known.toMs) return known.windows;
  const windows = computeWindows(schedule, wallMs);
  around.set(schedule, { fromMs: wallMs, toMs: wallMs + dayMs / 4, windows });
  return windows;
}

function computeWindows(schedule: Schedule, wallMs: number): Window[] {
  const { when, timeZone, rampMs } = schedule;
  if (when.type !== 'weekly') return [];
  const today = localDay(timeZone, wallMs).midnight;
  const daysBack = 2 + Math.ceil((when.durationMs + rampMs) / dayMs);
  const daysAhead = 2 + Math.ceil(rampMs / dayMs);
  const windows: Window[] = [];
  for (let day = -daysBack; day <= daysAhead; day += 1) {
    const midnight = today + day * dayMs;
    if (!when.days.includes(new Date(midnight).getUTCDay())) continue;
    const startMs = instantOf(timeZone, midnight, when.startMinute);
    windows.push({ startMs, endMs: weeklyEnd(when, timeZone, midnight, startMs) });
  }
  return windows;
}

function weeklyEnd(
  when: Extract<When, { type: 'weekly' }>,
  timeZone: string,
  midnight: number,
  startMs: number,
): number {
  const endByDuration = startMs + when.durationMs;
  if (when.endMinute === null) return endByDuration;
  const isPastMidnight = when.endMinute <= when.startMinute && when.durationMs === 0;
  const endMinute = when.endMinute + (isPastMidnight ? 1440 : 0);
  return Math.max(endByDuration, instantOf(timeZone, midnight, endMinute));
}

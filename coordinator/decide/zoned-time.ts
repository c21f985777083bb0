// Local days and times in an IANA time zone. A local time that the clock skips is the next valid instant; one that comes twice is the
// first of the two.

const dayMs = 86_400_000;
const minuteMs = 60_000;

export type LocalDate = { readonly year: number; readonly month: number; readonly day: number };

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(timeZone, format);
  return format;
}

export function isTimeZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** What the local clock shows at an instant, as if it were UTC. */
function localClock(timeZone: string, wallMs: number): number {
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(wallMs)
      .map((part) => [part.type, Number(part.value)]),
  );
  const of = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'));
}

function offsetAt(timeZone: string, wallMs: number): number {
  const wholeSecond = Math.floor(wallMs / 1000) * 1000;
  return localClock(timeZone, wholeSecond) - wholeSecond;
}

/** The local date, as `2026-12-24`, and its day of the week (0: Sunday). */
export function localDay(
  timeZone: string,
  wallMs: number,
): { date: string; weekday: number; midnight: number } {
  const clock = localClock(timeZone, wallMs);
  const midnight = Math.floor(clock / dayMs) * dayMs;
  return {
    date: new Date(midnight).toISOString().slice(0, 10),
    weekday: new Date(midnight).getUTCDay(),
    midnight,
  };
}

/** The instant at which the local clock shows `minute` minutes after local midnight of a day (midnight as if it were UTC). */
export function instantOf(timeZone: string, midnight: number, minute: number): number {
  const shown = midnight + minute * minuteMs;
  const before = offsetAt(timeZone, shown - dayMs);
  const after = offsetAt(timeZone, shown + dayMs);
  const candidates = [shown - before, shown - after].filter(
    (instant) => localClock(timeZone, instant) === shown,
  );
  if (candidates.length > 0) return Math.min(...candidates);
  return transitionBetween(timeZone, shown - Math.max(before, after), shown - Math.min(before, after));
}

/** The first instant with the later offset. */
function transitionBetween(timeZone: string, from: number, to: number): number {
  const later = offsetAt(timeZone, to);
  let low = from;
  let high = to;
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2000) * 1000;
    if (offsetAt(timeZone, middle) === later) high = middle;
    else low = middle;
  }
  return high;
}

// The runs of a cron expression around an instant, in a time zone. croner does the calendar: a local time that the clock skips runs at
// the next valid instant, one that comes twice runs once. Asking costs 0.1 ms, and between two runs the answer is always the same, so
// the last answer for each expression is kept.
import { Cron } from 'croner';

export type Runs = {
  /** The last run at or before the instant, and the first one after it, in milliseconds since the epoch. */
  readonly previous: number | null;
  readonly next: number | null;
};

type Known = Runs & { readonly cron: Cron };

const known = new Map<string, Known>();
const mostKnown = 2000;

/** undefined when `pattern` is a cron expression of five fields (or a nickname such as @daily), else what is wrong with it. */
export function cronFault(pattern: string, timeZone: string): string | undefined {
  try {
    makeCron(pattern, timeZone);
    return undefined;
  } catch (error) {
    return error instanceof Error
      ? error.message.replace(/^CronPattern: (?:configuration )?/, '')
      : String(error);
  }
}

export function runsAround(pattern: string, timeZone: string, wallMs: number): Runs {
  const key = `${timeZone}\n${pattern}`;
  const before = known.get(key);
  if (before !== undefined && isBetween(before, wallMs)) return before;
  const cron = before?.cron ?? makeCron(pattern, timeZone);
  // croner's previous run is strictly before, and counts in whole seconds.
  const [previous] = cron.previousRuns(1, new Date((Math.floor(wallMs / 1000) + 1) * 1000));
  const [next] = cron.nextRuns(1, new Date(wallMs));
  const runs = { cron, previous: previous?.getTime() ?? null, next: next?.getTime() ?? null };
  if (known.size >= mostKnown) known.clear();
  known.set(key, runs);
  return runs;
}

function isBetween(runs: Runs, wallMs: number): boolean {
  return (runs.previous === null || runs.previous <= wallMs) && (runs.next === null || wallMs < runs.next);
}

function makeCron(pattern: string, timezone: string): Cron {
  return new Cron(pattern, { timezone, paused: true, mode: '5-part', fixedTimeRule: 'no-wildcard' });
}

// Several runs of node:test, beside each other, as one stream of events: one run after the other is shown, so that what
// belongs together stays together; a run whose turn has not come is kept until then. Each run's closing counts are held
// back and added up, so that a reporter prints one summary, in node:test's own words.
import { run } from 'node:test';

export interface Group {
  readonly files: readonly string[];
  /** Files at a time. */
  readonly concurrency: number;
}

export interface Outcome {
  /** Tests that failed or were cancelled. */
  failed: number;
  readonly files: { readonly file: string; readonly ms: number }[];
}

/** A file that takes longer has hung. */
const fileDeadlineMs = 10 * 60_000;
const names = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo', 'duration_ms'] as const;

type Event = { readonly type: string; readonly data: unknown };

/** Runs the groups beside each other; `outcome` is complete when the events have ended. */
export async function* testEvents(groups: readonly Group[], outcome: Outcome): AsyncGenerator<Event> {
  const totals = new Map<string, number>(names.map((name) => [name, 0]));
  const started = performance.now();
  const runs = groups
    .filter(({ files }) => files.length > 0)
    .map(({ files, concurrency }) => run({ files: [...files], concurrency, timeout: fileDeadlineMs }));
  for (const stream of runs) {
    for await (const event of stream as AsyncIterable<Event>) {
      const count = closingCount(event);
      if (count === undefined) yield event;
      else totals.set(count.name, (totals.get(count.name) ?? 0) + count.value);
      noteFile(event, outcome);
    }
  }
  totals.set('duration_ms', Math.round(performance.now() - started));
  outcome.failed += (totals.get('fail') ?? 0) + (totals.get('cancelled') ?? 0);
  for (const [name, value] of totals) {
    yield { type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${value}`, level: 'info' } };
  }
}

/** `tests 12` and the like, at the end of a run; a test's own diagnostics carry a file. */
function closingCount({ type, data }: Event): { readonly name: string; readonly value: number } | undefined {
  if (type !== 'test:diagnostic' || !isRecord(data) || data['file'] !== undefined) return undefined;
  const [, name = '', value] = /^(\w+) ([\d.]+)$/.exec(String(data['message'])) ?? [];
  return names.some((known) => known === name) ? { name, value: Number(value) } : undefined;
}

function noteFile({ type, data }: Event, outcome: Outcome): void {
  if (type !== 'test:summary' || !isRecord(data)) return;
  const { file, duration_ms: ms } = data;
  if (typeof file === 'string' && typeof ms === 'number') outcome.files.push({ file, ms });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

// A recorded load: CSV (`time,load`, a header is optional) or JSON (`[[time, load], …]`, or objects with those names). Time is
// seconds, or a date and time; the first row is the beginning. Between two rows the load is a straight line. A row without a
// load says that nothing could be read then: the sources are away until the next row, and the load goes on in between.
import { z } from 'zod';
import { BerthError } from '../../shared/errors.ts';
import { along, type Disturbance, type Trace } from './trace.ts';

type Row = { readonly time: string | number; readonly load: number | null; readonly place: string };
type Timed = { readonly at: number; readonly load: number | null };

const moment = z.union([z.number(), z.string()]);
const amount = z.number().nullable();
const jsonRows = z.array(
  z.union([
    z.tuple([moment, amount]).transform(([time, load]) => ({ time, load })),
    z.object({ time: moment, load: amount }),
  ]),
);

/** @throws BerthError `config.invalid` naming the row */
export function parseTrace(text: string, file: string): Trace {
  const rows = /^\s*[[{]/.test(text) ? parseJson(text, file) : parseCsv(text, file);
  const timed = rows.map((row) => ({ at: millisecondsOf(row), load: row.load }));
  const [first] = timed;
  const last = timed.at(-1);
  if (first === undefined || last === undefined || timed.length < 2)
    throw fault(file, 'a trace needs two rows at least');
  timed.forEach(({ at }, index) => {
    if (index > 0 && at <= (timed[index - 1]?.at ?? 0))
      throw fault(
        rows[index]?.place ?? file,
        `its time is not after the one before: ${rows[index]?.time}`,
        'order the rows by time, one for each time',
      );
  });
  const relative = timed.map(({ at, load }) => ({ at: at - first.at, load }));
  const known = relative.flatMap(({ at, load }) => (load === null ? [] : [[at, load] as const]));
  if (known.length === 0) throw fault(file, 'no row has a load');
  return {
    name: file,
    durationMs: last.at - first.at,
    load: along(known),
    disturbances: gapsOf(relative),
  };
}

function gapsOf(rows: readonly Timed[]): Disturbance[] {
  return rows.flatMap(({ at, load }, index): Disturbance[] => {
    const next = rows[index + 1];
    return load !== null || next === undefined ? [] : [{ kind: 'away', fromMs: at, toMs: next.at }];
  });
}

function parseCsv(text: string, file: string): Row[] {
  const lines = text
    .split(/\r?\n/)
    .map((line, index) => ({ line: line.trim(), place: `${file}:${index + 1}` }));
  const filled = lines.filter(({ line }) => line !== '' && !line.startsWith('#'));
  const [head] = filled;
  const rows = head !== undefined && /^"?[a-z]/i.test(head.line) ? filled.slice(1) : filled;
  return rows.map(({ line, place }) => {
    const [time = '', load = ''] = line.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
    if (load === '') return { time, load: null, place };
    return { time, load: checkedLoad(Number(load), load, place), place };
  });
}

function parseJson(text: string, file: string): Row[] {
  const parsed = jsonRows.safeParse(readJson(text, file));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw fault(`${file}: row ${Number(issue?.path[0] ?? 0) + 1}`, 'it is not [time, load] or {time, load}');
  }
  return parsed.data.map(({ time, load }, index) => {
    const place = `${file}: row ${index + 1}`;
    return { time, load: load === null ? null : checkedLoad(load, String(load), place), place };
  });
}

function readJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw fault(file, `it is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function checkedLoad(load: number, text: string, place: string): number {
  if (Number.isFinite(load) && load >= 0) return load;
  throw fault(place, `its load is ${JSON.stringify(text)}, which is not a number from 0 on`);
}

/** Seconds as they are, anything else as a date and time. */
function millisecondsOf({ time, place }: Row): number {
  const seconds =
    typeof time === 'number' || /^-?\d+(?:\.\d+)?$/.test(time) ? Number(time) * 1000 : Date.parse(time);
  if (Number.isFinite(seconds)) return seconds;
  throw fault(
    place,
    `its time is ${JSON.stringify(time)}`,
    'write seconds, or a time such as 2026-01-31T12:00:00Z',
  );
}

function fault(place: string, message: string, hint?: string): BerthError {
  return new BerthError('config.invalid', `${place}: ${message}`, { hint });
}

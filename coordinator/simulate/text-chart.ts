// A simulation in a terminal, without colours: the ready instances as bars, the wanted number as a line, the load (in
// instances that it needs) as dots. A column shows the highest values of its time.
//
//    12 ┤            ━━━━━━━━━
//       │           •█████████•
//     0 ┼────╳╳╳────
//        ╳: the time in which something is wrong
import type { Sample, Simulation } from './simulate.ts';
import { causes, type Trace } from './trace.ts';

const width = 72;
const height = 12;
const bars = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

type Column = { readonly needed: number; readonly desired: number; readonly ready: number };

/** `top`: the value at the upper edge, so that several charts can have the same. */
export function formatTextChart(
  { samples }: Pick<Simulation, 'samples'>,
  { durationMs, disturbances }: Pick<Trace, 'durationMs' | 'disturbances'>,
  top = chartTop([samples]),
): string {
  const columns = columnsOf(samples, durationMs);
  const isWrong = (column: number) => {
    const [from, to] = [(column * durationMs) / width, ((column + 1) * durationMs) / width];
    return disturbances.some(({ fromMs, toMs }) => fromMs < to && toMs > from);
  };
  const axis = Array.from({ length: width }, (_, column) => (isWrong(column) ? '╳' : '─')).join('');
  const wrong = disturbances.length === 0 ? '' : `  ╳ ${causes[disturbances[0]?.kind ?? 'away']}`;
  const label = Math.max(3, String(top).length);
  const lines = Array.from({ length: height }, (_, index) => {
    const row = height - 1 - index;
    const isMarked = row === height - 1 || row === Math.floor((height - 1) / 2);
    const mark = isMarked ? String(Number((((row + 1) * top) / height).toFixed(1))) : '';
    const cells = columns.map((column) => cellAt(column, row, top)).join('');
    return `${mark.padStart(label)} ${isMarked ? '┤' : '│'}${cells}`.trimEnd();
  });
  return [
    ...lines,
    `${'0'.padStart(label)} ┼${axis}`,
    `${' '.repeat(label + 2)}${timeAxis(durationMs)}`,
    `${' '.repeat(label + 2)}█ ready  ━ wanted  • load, in instances that it needs${wrong}`,
    '',
  ].join('\n');
}

/** A round value above everything that is shown. */
export function chartTop(all: readonly (readonly Sample[])[]): number {
  const highest = all
    .flat()
    .reduce((most, { needed, desired, ready }) => Math.max(most, needed, desired, ready), 1);
  const step = 10 ** Math.max(0, Math.floor(Math.log10(highest)) - 1) * (highest >= 20 ? 2 : 1);
  return Math.ceil(highest / step) * step;
}

function columnsOf(samples: readonly Sample[], durationMs: number): Column[] {
  let previous: Column = { needed: 0, desired: 0, ready: 0 };
  const byColumn = Map.groupBy(samples, ({ t }) => Math.floor((t / durationMs) * width));
  return Array.from({ length: width }, (_, index) => {
    const found = byColumn.get(index);
    if (found === undefined) return previous;
    const highest = (of: (sample: Sample) => number) => Math.max(...found.map(of));
    previous = {
      needed: highest(({ needed }) => needed),
      desired: highest(({ desired }) => desired),
      ready: highest(({ ready }) => ready),
    };
    return previous;
  });
}

function cellAt({ needed, desired, ready }: Column, row: number, top: number): string {
  const rowOf = (value: number) => Math.min(height - 1, Math.max(0, Math.ceil((value / top) * height) - 1));
  if (needed > 0 && rowOf(needed) === row) return '•';
  if (desired > 0 && rowOf(desired) === row && desired !== ready) return '━';
  const filled = Math.round(((ready / top) * height - row) * 8);
  return bars[Math.min(8, Math.max(0, filled))] ?? ' ';
}

function timeAxis(durationMs: number): string {
  const marks = [0, 0.25, 0.5, 0.75].map((share) => formatMoment(share * durationMs).padEnd(width / 4));
  const end = formatMoment(durationMs);
  return marks.join('').slice(0, width - end.length) + end;
}

/** `90s`, `2:30` minutes or `6h`. */
export function formatMoment(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds >= 7200) return `${Number((seconds / 3600).toFixed(1))}h`;
  if (seconds < 120) return `${seconds}s`;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

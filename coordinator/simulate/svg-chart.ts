// Simulations as one SVG without anything from elsewhere: a panel for each policy, one above the other on the same axes, with
// the time in which something was wrong shaded. It follows the reader's light or dark colours.
import type { Compared } from './comparison.ts';
import type { Sample } from './simulate.ts';
import { chartTop, formatMoment } from './text-chart.ts';
import { causes, type Disturbance, type Trace } from './trace.ts';

const width = 960;
const panelHeight = 220;
const panelGap = 56;
const left = 56;
const right = 24;
const head = 88;
const foot = 44;
const plotWidth = width - left - right;

// Colours are written out in both schemes: not every reader of SVG knows CSS variables.
const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; } .panel { font-weight: 600; } .soft { fill: #57606a; }
  .back { fill: #ffffff; } .grid { fill: none; stroke: #d0d7de; }
  .load { fill: none; stroke: #bc4c00; stroke-width: 1.5; }
  .wanted { fill: none; stroke: #0969da; stroke-width: 2; stroke-dasharray: 6 3; }
  .ready { fill: #1a7f37; fill-opacity: 0.2; stroke: #1a7f37; stroke-width: 1; }
  .wrong { fill: #cf222e; fill-opacity: 0.1; } .cause { fill: #cf222e; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .soft { fill: #9198a1; } .back { fill: #0d1117; } .grid { stroke: #30363d; }
    .load { stroke: #f0883e; } .wanted { stroke: #58a6ff; } .ready { fill: #3fb950; stroke: #3fb950; }
    .wrong { fill: #f85149; } .cause { fill: #f85149; }
  }`;

export function formatSvg(trace: Trace, compared: readonly Compared[]): string {
  const top = chartTop(compared.map(({ simulation }) => simulation.samples));
  const height = head + compared.length * (panelHeight + panelGap) - panelGap + foot;
  const panels = compared.map((each, index) =>
    formatPanel(each, trace, top, head + index * (panelHeight + panelGap)),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>Load, wanted and ready instances: ${escaped(trace.name)}</title>`,
    `<style>${style}\n</style>`,
    `<rect class="back" width="${width}" height="${height}"/>`,
    `<text class="title" x="${left}" y="30">${escaped(trace.name)}</text>`,
    legend(),
    ...panels,
    timeAxis(trace.durationMs, height - foot),
    '</svg>',
    '',
  ].join('\n');
}

function legend(): string {
  const entries = [
    { at: 0, text: 'load, in instances that it needs', mark: '<path class="load" d="M0 -4h24"/>' },
    { at: 250, text: 'wanted', mark: '<path class="wanted" d="M0 -4h24"/>' },
    { at: 346, text: 'ready', mark: '<path class="ready" d="M0 0v-9h24v9z"/>' },
  ];
  const shown = entries.map(
    ({ at, text, mark }) =>
      `<g transform="translate(${left + at} 54)">${mark}<text class="soft" x="32">${text}</text></g>`,
  );
  return shown.join('\n');
}

function formatPanel({ title, simulation }: Compared, trace: Trace, top: number, y: number): string {
  const { samples, summary } = simulation;
  const xOf = (t: number) => left + (t / trace.durationMs) * plotWidth;
  const yOf = (value: number) => y + panelHeight - (value / top) * panelHeight;
  const numbers = `${Math.round(summary.secondsUnderTarget)} s under target, ${summary.changes} changes, ${summary.instanceHours.toFixed(2)} instance-hours`;
  const ready = steps(samples, ({ ready: count }) => count, xOf, yOf, trace.durationMs);
  const grid = gridValues(top).map(
    (value) =>
      `<path class="grid" d="M${left} ${fixed(yOf(value))}h${plotWidth}"/><text class="soft" x="${left - 8}" y="${fixed(yOf(value) + 4)}" text-anchor="end">${value}</text>`,
  );
  return [
    `<text class="panel" x="${left}" y="${y - 10}">${escaped(title)}</text>`,
    `<text class="soft" x="${width - right}" y="${y - 10}" text-anchor="end">${numbers}</text>`,
    ...trace.disturbances.map((each) => shade(each, xOf, y)),
    ...grid,
    `<path class="ready" d="${ready} V${fixed(yOf(0))} H${left} Z"/>`,
    `<path class="load" d="${line(samples, xOf, yOf)}"/>`,
    `<path class="wanted" d="${steps(samples, ({ desired }) => desired, xOf, yOf, trace.durationMs)}"/>`,
  ].join('\n');
}

function shade({ kind, fromMs, toMs }: Disturbance, xOf: (t: number) => number, y: number): string {
  const x = xOf(fromMs);
  const wide = Math.max(2, xOf(toMs) - x);
  return (
    `<rect class="wrong" x="${fixed(x)}" y="${y}" width="${fixed(wide)}" height="${panelHeight}"/>` +
    `<text class="cause" x="${fixed(x + 6)}" y="${y + 16}">${causes[kind]}</text>`
  );
}

/** The load is the mean of a few samples: its noise would hide the rest. */
function line(
  samples: readonly Sample[],
  xOf: (t: number) => number,
  yOf: (value: number) => number,
): string {
  const bunch = Math.max(1, Math.round(samples.length / 480));
  const points: string[] = [];
  for (let index = 0; index < samples.length; index += bunch) {
    const some = samples.slice(index, index + bunch);
    const [first] = some;
    if (first === undefined) break;
    const mean = some.reduce((sum, { needed }) => sum + needed, 0) / some.length;
    points.push(`${fixed(xOf(first.t))} ${fixed(yOf(mean))}`);
  }
  return `M${points.join('L')}`;
}

function steps(
  samples: readonly Sample[],
  of: (sample: Sample) => number,
  xOf: (t: number) => number,
  yOf: (value: number) => number,
  durationMs: number,
): string {
  let path = '';
  let last: number | undefined;
  for (const sample of samples) {
    const value = of(sample);
    if (value === last) continue;
    path +=
      last === undefined
        ? `M${fixed(xOf(sample.t))} ${fixed(yOf(value))}`
        : `H${fixed(xOf(sample.t))}V${fixed(yOf(value))}`;
    last = value;
  }
  return `${path}H${fixed(xOf(durationMs))}`;
}

function gridValues(top: number): number[] {
  const step =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((each) => top / each <= 6) ?? Math.ceil(top / 5);
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, index) => index * step);
}

function timeAxis(durationMs: number, y: number): string {
  const marks = Array.from({ length: 7 }, (_, index) => index / 6);
  return marks
    .map((share) => {
      const anchor = share === 0 ? 'start' : share === 1 ? 'end' : 'middle';
      return `<text class="soft" x="${fixed(left + share * plotWidth)}" y="${y + 20}" text-anchor="${anchor}">${formatMoment(share * durationMs)}</text>`;
    })
    .join('\n');
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

// Simulations as rows of a table: for a terminal, and for a page in Markdown.
import type { Compared } from './comparison.ts';
import type { Summary } from './simulate.ts';

export type SummaryColumn = { readonly title: string; readonly cell: (summary: Summary) => number };

export const summaryColumns: readonly SummaryColumn[] = [
  { title: 'LARGEST', cell: ({ largest }) => largest },
  { title: 'OVERSHOOT', cell: ({ overshoot }) => overshoot },
  { title: 'S UNDER TARGET', cell: ({ secondsUnderTarget }) => rounded(secondsUnderTarget, 0) },
  { title: 'S SATURATED', cell: ({ secondsSaturated }) => rounded(secondsSaturated, 0) },
  { title: 'MAX QUEUE', cell: ({ maxQueue }) => rounded(maxQueue, 0) },
  { title: 'GIVEN UP', cell: ({ givenUp }) => rounded(givenUp, 0) },
  { title: 'CHANGES', cell: ({ changes }) => changes },
  { title: 'INSTANCE-HOURS', cell: ({ instanceHours }) => rounded(instanceHours, 2) },
];

/** One row for each trace and policy. */
export function formatMarkdown(rows: readonly { trace: string; compared: readonly Compared[] }[]): string {
  const titles = ['load', 'loop', ...summaryColumns.map(({ title }) => title.toLowerCase())];
  const lines = rows.flatMap(({ trace, compared }) =>
    compared.map(({ title, simulation }, index) => [
      index === 0 ? trace : '',
      title,
      ...summaryColumns.map(({ cell }) => grouped(cell(simulation.summary))),
    ]),
  );
  const rule = titles.map((_, index) => (index < 2 ? '---' : '---:'));
  return `${[titles, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function grouped(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 });
}

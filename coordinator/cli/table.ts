// Lists as people read them: columns as wide as their widest cell, numbers to the right.

export interface Column<T> {
  title: string;
  cell(item: T): string | number | null;
}

export function formatTable<T>(items: readonly T[], columns: readonly Column<T>[]): string {
  const rows = items.map((item) => columns.map((column) => column.cell(item)));
  const shown = rows.map((row) => row.map(showCell));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...shown.map((row) => row[index]?.length ?? 0)),
  );
  const numeric = columns.map((_, index) => isNumeric(rows.map((row) => row[index] ?? null)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) =>
        numeric[index] === true ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return `${[columns.map((column) => column.title), ...shown].map(line).join('\n')}\n`;
}

function isNumeric(cells: readonly (string | number | null)[]): boolean {
  return cells.some((cell) => typeof cell === 'number') && cells.every((cell) => typeof cell !== 'string');
}

/** Texts come from agents too: nothing in them may move the cursor or change the colours of a terminal. */
export function showCell(cell: string | number | null): string {
  if (cell === null || cell === '') return '-';
  return String(cell).replaceAll(/[\p{Cc}\p{Cf}]/gu, '?');
}

/** A span as `5s`, `12m`, `3h`, `4d`. */
export function formatSpan(ms: number): string {
  const units: [number, string][] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'm'],
    [1000, 's'],
  ];
  for (const [size, unit] of units) if (ms >= 2 * size) return `${Math.floor(ms / size)}${unit}`;
  return `${Math.floor(ms / 1000)}s`;
}

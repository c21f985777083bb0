// Where commands write, and how lists come out.
import { type Column, formatTable } from './table.ts';

export interface Output {
  write(text: string): void;
  warn(text: string): void;
}

export type Format = 'table' | 'json';

export function writeList<T>(
  output: Output,
  format: Format,
  items: readonly T[],
  columns: readonly Column<T>[],
  whenEmpty: string,
): void {
  if (format === 'json') output.write(`${JSON.stringify({ items }, null, 2)}\n`);
  else output.write(items.length === 0 ? `${whenEmpty}\n` : formatTable(items, columns));
}

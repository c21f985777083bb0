// Where commands write, and how lists come out.
import { type Column, formatTable } from './table.ts';

export interface Output {
  write(text: string): void;
  warn(text: string): void;
}

export type Format = 'table' | 'json';

export function writeJson(output: Output, value: unknown): void {
  output.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function writeList<T>(
  output: Output,
  format: Format,
  items: readonly T[],
  columns: readonly Column<T>[],
  whenEmpty: string,
): void {
  if (format === 'json') writeJson(output, { items });
  else output.write(items.length === 0 ? `${whenEmpty}\n` : formatTable(items, columns));
}

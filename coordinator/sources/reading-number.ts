// The one way from what a source answered to a number. JSON has no NaN, so sources spell it as text, and databases send
// large and decimal numbers as text too.
import { parseNumber } from './parse-number.ts';
import { ReadingError } from './reading-error.ts';

/**
 * A finite number.
 * @param where what the value is, for the error: "the result of the query"
 * @throws ReadingError `empty` for null and undefined, `nan` for NaN and the infinities, `bad-answer` for what is no number
 */
export function readingNumber(value: unknown, where: string): number {
  if (value === null || value === undefined) throw new ReadingError('empty', `${where} is empty`);
  const number = anyNumber(value, where);
  if (!Number.isFinite(number)) throw new ReadingError('nan', `${where} is ${number}`);
  return number;
}

/** A number, which may be NaN or infinite. @throws ReadingError `bad-answer` for what is no number */
export function anyNumber(value: unknown, where: string): number {
  const number = toNumber(value);
  if (number !== undefined) return number;
  throw new ReadingError('bad-answer', `${where} is ${describe(value)}, not a number`);
}

function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' ? parseNumber(value) : undefined;
}

function describe(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 60);
}

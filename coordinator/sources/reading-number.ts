// The one way from what a source answered to a number. JSON has no NaN, so sources spell it as text, and databases send
// large and decimal numbers as text too.
import { parseNumber } from './parse-number.ts';
import { ReadingError } from './reading-error.ts';

/**
 * A finite number.
 * @param where what the value is, for the error: "the result of the query"
 * @throws ReadingError `empty` for null and undefined, `nan`, `bad-answer` for an infinity and for what is no number
 */
export function readingNumber(value: unknown, where: string): number {
  if (value === null || value === undefined) throw new ReadingError('empty', `${where} is empty`);
  const number = toNumber(value);
  if (number === undefined)
    throw new ReadingError('bad-answer', `${where} is ${describe(value)}, not a number`);
  if (Number.isNaN(number)) throw new ReadingError('nan', `${where} is NaN`);
  if (!Number.isFinite(number)) throw new ReadingError('bad-answer', `${where} is infinite`);
  return number;
}

function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' ? parseNumber(value) : undefined;
}

function describe(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 60);
}

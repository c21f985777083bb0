// Numbers and times as posted documents write them.
import { z } from 'zod';
import { parseNumber } from './parse-number.ts';

/** A number, or its text. */
export const numberSchema = z.union([z.number(), z.string()]).transform((written, context) => {
  const value = typeof written === 'number' ? written : parseNumber(written);
  if (value !== undefined) return value;
  context.addIssue({ code: 'custom', message: `${JSON.stringify(written)} is no number` });
  return z.NEVER;
});

/** Seconds since the epoch reach this in the year 5138, milliseconds did in 1973. */
const leastMilliseconds = 1e11;

/** Milliseconds since the epoch, from those, from seconds, or from an ISO 8601 text. */
export const timestampSchema = z.union([z.number(), z.string()]).transform((written, context) => {
  const number = typeof written === 'number' ? written : parseNumber(written);
  const factor = number !== undefined && Math.abs(number) < leastMilliseconds ? 1000 : 1;
  const at = number === undefined ? Date.parse(String(written)) : number * factor;
  if (Number.isFinite(at)) return at;
  context.addIssue({ code: 'custom', message: `${JSON.stringify(written)} is no time` });
  return z.NEVER;
});

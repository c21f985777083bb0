// Durations in policies: `5s`, `250ms`, `2m`, or a bare number of seconds. After parsing: milliseconds.
import { z } from 'zod';
import { formatDuration, parseDuration } from '../../shared/duration.ts';

type Limits = { atLeast?: number; atMost?: number };

/** A duration between `atLeast` (default 0) and `atMost`, both in milliseconds; the parsed value is in milliseconds. */
export function duration(limits: Limits = {}) {
  const { atLeast = 0, atMost } = limits;
  return z
    .union([z.number(), z.string()])
    .transform((written, context) => {
      const ms = typeof written === 'number' ? written * 1000 : parseSigned(written);
      const fault = ms === undefined ? 'is not a duration' : outside(ms, atLeast, atMost);
      if (ms !== undefined && fault === undefined) return Math.round(ms);
      context.addIssue({
        code: 'custom',
        message: `${JSON.stringify(written)} ${fault}: write seconds or a text such as \`5s\``,
      });
      return z.NEVER;
    })
    .meta({ format: 'duration' });
}

function parseSigned(text: string): number | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith('-')) return parseDuration(trimmed);
  const ms = parseDuration(trimmed.slice(1));
  return ms === undefined ? undefined : -ms;
}

function outside(ms: number, atLeast: number, atMost: number | undefined): string | undefined {
  if (!Number.isFinite(ms)) return 'is not a duration';
  if (ms < atLeast)
    return atLeast === 0 ? 'is negative' : `is shorter than the least, ${formatDuration(atLeast)}`;
  if (atMost !== undefined && ms > atMost) return `is longer than the most, ${formatDuration(atMost)}`;
  return undefined;
}

// Silences: alerts that match one are kept and shown, and act only when it is over. Pure.

import * as z from 'zod/mini';
import { type AlertSignal, dialects } from './alert-signal.ts';

const pattern = z.optional(z.string().check(z.minLength(1), z.maxLength(253)));

/** Each given one must match: the whole text, or its start when the pattern ends with `*`. */
export const silenceMatchSchema = z.strictObject({
  service: pattern,
  name: pattern,
  severity: pattern,
  action: pattern,
  container: pattern,
  fingerprint: pattern,
  dialect: z.optional(z.enum(dialects)),
});
export type SilenceMatch = z.infer<typeof silenceMatchSchema>;

export interface Silence {
  id: string;
  match: SilenceMatch;
  /** Wall milliseconds: it is people who say until when. */
  until: number;
  by: string;
  why: string;
  createdAt: number;
}

/** The silence that keeps the alert from acting, or undefined. `service` is the one that the alert turned out to be about. */
export function silenceFor(
  signal: AlertSignal,
  service: string | undefined,
  silences: Iterable<Silence>,
  nowWall: number,
): Silence | undefined {
  const container = signal.container?.name ?? signal.container?.id;
  const { name, severity, action, fingerprint, dialect } = signal;
  const values = { service, name, severity, action, container, fingerprint, dialect };
  for (const silence of silences) {
    if (nowWall < silence.until && matches(silence.match, values)) return silence;
  }
  return undefined;
}

/** True when nothing is asked for: such a silence would match every alert. */
export function isEmptyMatch(match: SilenceMatch): boolean {
  return Object.values(match).every((wanted) => wanted === undefined);
}

function matches(
  match: SilenceMatch,
  values: { [K in keyof Required<SilenceMatch>]: string | undefined },
): boolean {
  const fields = Object.keys(values) as (keyof typeof values)[];
  return fields.every((field) => {
    const wanted = match[field];
    const value = values[field];
    if (wanted === undefined) return true;
    if (wanted.endsWith('*')) return (value ?? '').startsWith(wanted.slice(0, -1));
    return value === wanted;
  });
}

export function describeSilence({ until, by, why }: Silence): string {
  return `silenced until ${new Date(until).toISOString()} by ${by}: ${why}`;
}

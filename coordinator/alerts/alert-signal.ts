// One alert as Berth understands it, whatever dialect it came in. The schema is the type's source, because signals are
// kept in the database as JSON and read back by a later run.
import * as z from 'zod/mini';
import { actionNames } from './actions.ts';

export const dialects = ['elastalert', 'alertmanager', 'generic'] as const;
export type Dialect = (typeof dialects)[number];

const text = z.string().check(z.minLength(1), z.maxLength(253));
const count = z.int().check(z.minimum(0));
const port = z.int().check(z.minimum(1), z.maximum(65535));
const direction = z.enum(['up', 'down']);

const containerRefSchema = z.object({ id: z.optional(text), name: z.optional(text), host: z.optional(text) });
/** The container that raised the alert: `id` or `name` is there; `host` is the Docker host's name. */
export type ContainerRef = z.infer<typeof containerRefSchema>;

const haproxyRefSchema = z.object({
  host: z.optional(text),
  port: z.optional(port),
  backend: z.optional(text),
  /** Slot prefix. */
  node: z.optional(text),
  appPort: z.optional(port),
});
/** The labels of row 2 of the requirements, as far as the alert carries them. */
export type HaproxyRef = z.infer<typeof haproxyRefSchema>;

export const alertSignalSchema = z.object({
  dialect: z.enum(dialects),
  fingerprint: text,
  /** Name of the rule. */
  name: text,
  status: z.enum(['firing', 'resolved']),
  ask: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('scale'), direction }),
    z.object({ kind: z.literal('node'), direction }),
    z.object({ kind: z.literal('availability') }),
    z.object({ kind: z.literal('named') }),
  ]),
  action: z.optional(z.enum(actionNames)),
  /** Since when it fires, by the sender; wall milliseconds. With the fingerprint it identifies one firing. */
  startsAt: z.optional(z.number()),
  /** When this very message was made, by the sender; wall milliseconds. */
  sentAt: z.optional(z.number()),
  expiresInMs: z.optional(z.number()),
  service: z.optional(text),
  severity: z.optional(text),
  step: z.optional(count),
  min: z.optional(count),
  max: z.optional(count),
  policy: z.optional(text),
  naming: z.optional(text),
  container: z.optional(containerRefSchema),
  haproxy: z.optional(haproxyRefSchema),
  /** What was measured, for the audit. */
  metric: z.optional(text),
  value: z.optional(z.number()),
});
export type AlertSignal = z.infer<typeof alertSignalSchema>;

/** What is wrong with a document: where, the value that was there, and the mend. */
export interface Problem {
  field: string;
  value: string;
  mend: string;
}

export type ParsedAlert =
  | { ok: true; signal: AlertSignal }
  /** `name` and `service` as far as they could be read, so that lists can show them. */
  | { ok: false; problems: Problem[]; name?: string | undefined; service?: string | undefined };

/** One line for people. */
export function describeProblem({ field, value, mend }: Problem): string {
  return `${field} is ${value}: ${mend}`;
}

/** A value as a problem shows it. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  // Never String() of an object: a document may bring a `toString` of its own.
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

// The WebSocket protocol between agent and coordinator. One JSON object a message.
//
//   agent                          coordinator
//     ── hello ──────────────────────►      who I am; always the first message
//     ◄─────────────────── welcome ──       accepted; how often to beat
//     ── heartbeat ──────────────────►      phase and registrations; every `heartbeatMs`, and at once on a change
//     ◄─────────────────── drain ────       leave traffic (scale-down, rollout); the agent decides how
//     ── goodbye ────────────────────►      leaving in order; the last message
//
// Versions: `v` is the highest version that the agent speaks. The coordinator answers with the version that it will
// use, at most that one; it refuses (close code 4400) only what it cannot serve. Unknown fields are ignored, so that
// an older or newer peer keeps working; a field once given a meaning keeps it.
import * as z from 'zod/mini';

import { maxReasonLength } from './protocol-terms.ts';

export { closeCodes, maxMessageBytes, protocolVersion } from './protocol-terms.ts';

/** No control characters: not every database takes all of them, and nobody can read them. */
const name = z.string().check(z.minLength(1), z.maxLength(253), z.regex(/^\P{Cc}*$/u));
/** Age of something when it was sent; at most some thirty years, so that its time is one that calendars have. */
const ageMs = z.number().check(z.minimum(0), z.maximum(1e12));

/** Where an agent stands: it boots its app, serves, leaves traffic (for a while or for good), or is going. */
export const phaseSchema = z.enum(['starting', 'ready', 'unready', 'draining', 'stopping']);
export type Phase = z.infer<typeof phaseSchema>;

/** What one agent holds in one HAProxy. `state` is what the agent last saw or wrote. */
export const registrationSchema = z.object({
  haproxy: name,
  backend: z.optional(name),
  slot: z.optional(name),
  address: z.optional(name),
  port: z.int().check(z.minimum(1), z.maximum(65535)),
  state: z.enum(['none', 'ready', 'drain', 'maint']),
  error: z.optional(z.string().check(z.maxLength(maxReasonLength))),
  /** The server is not a template's slot: the agent adds it, with these parameters behind its address. */
  dynamic: z.optional(z.string().check(z.maxLength(1000))),
});
export type RegistrationReport = z.infer<typeof registrationSchema>;

/** One number that the app or its cgroup reports; `at` is the age of the sample in milliseconds when it was sent. */
export const appMetricSchema = z.object({ value: z.number(), ageMs });

export const helloSchema = z.object({
  type: z.literal('hello'),
  v: z.int().check(z.minimum(1), z.maximum(1_000_000)),
  agent: name,
  service: z.optional(name),
  container: z.optional(name),
  hostname: z.optional(name),
  agentVersion: z.optional(name),
  nodeCount: z.optional(z.int().check(z.minimum(1), z.maximum(100_000))),
  slotPrefix: z.optional(name),
});
export type Hello = z.infer<typeof helloSchema>;

export const heartbeatSchema = z.object({
  type: z.literal('heartbeat'),
  seq: z.int().check(z.minimum(0)),
  phase: phaseSchema,
  service: z.optional(name),
  registrations: z.array(registrationSchema).check(z.maxLength(64)),
  metrics: z.optional(z.record(name, appMetricSchema)),
  /** The agent's timeline since the last heartbeat that carried one (claimed, ready, drained, …), for the audit. */
  events: z.optional(
    z
      .array(
        z.object({
          event: name,
          ageMs,
          haproxy: z.optional(name),
          backend: z.optional(name),
          slot: z.optional(name),
          reason: z.optional(z.string().check(z.maxLength(maxReasonLength))),
        }),
      )
      .check(z.maxLength(100)),
  ),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;
export type AgentEvent = NonNullable<Heartbeat['events']>[number];

export const goodbyeSchema = z.object({
  type: z.literal('goodbye'),
  reason: z.string().check(z.maxLength(maxReasonLength)),
});
export type Goodbye = z.infer<typeof goodbyeSchema>;

export const agentMessageSchema = z.discriminatedUnion('type', [helloSchema, heartbeatSchema, goodbyeSchema]);
export type AgentMessage = z.infer<typeof agentMessageSchema>;

export const welcomeSchema = z.object({
  type: z.literal('welcome'),
  v: z.int(),
  coordinator: name,
  heartbeatMs: z.int().check(z.minimum(100), z.maximum(60_000)),
});
export type Welcome = z.infer<typeof welcomeSchema>;

export const drainSchema = z.object({
  type: z.literal('drain'),
  /** true: leave traffic; false: come back. */
  drain: z.boolean(),
  reason: z.string(),
});
export type Drain = z.infer<typeof drainSchema>;

export const coordinatorMessageSchema = z.discriminatedUnion('type', [welcomeSchema, drainSchema]);
export type CoordinatorMessage = z.infer<typeof coordinatorMessageSchema>;

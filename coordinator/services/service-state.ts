// What Berth remembers of a service over its own restart: how many instances are wanted and by whom, the spec to make
// more of them, and what operators have said. One row of the database for each service; it is kept in memory, and written
// behind, so that a database that is away delays nothing (service-saver.ts).
import { z } from 'zod';
import type { AuditEntry } from '../audit/audit-entry.ts';
import { containerSpecSchema } from '../targets/docker/spec.ts';

/** Until when an operator's word holds; null: until it is taken back. Wall milliseconds. */
const until = z.number().nullable();

export const serviceStateSchema = z.object({
  service: z.string(),
  /** null: Berth has no say in the number; it is what it is. */
  wanted: z.int().min(0).nullable(),
  /** Who last set `wanted`, and why: shown with it. */
  wantedBy: z.string(),
  wantedReason: z.string(),
  /** The alert behind the number; null: something else set it. */
  wantedAlert: z.string().nullable().default(null),
  /** Which firings of it: the ids of their rows, the first hundred. */
  wantedFirings: z.array(z.string()).default([]),
  /**
   * The number before instances ended, of a service whose labels follow what is there: what an alert that asks to look
   * after it brings back, until so long after.
   */
  beforeLoss: z
    .object({ wanted: z.int().min(0), until: z.number() })
    .nullable()
    .default(null),
  spec: containerSpecSchema.nullable(),
  /** Where the container was that the spec was read from, if people made it; null: it was a clone. */
  original: z.object({ host: z.string() }).nullable().default(null),
  /** Size that an operator has set by hand. */
  override: z.object({ replicas: z.int().min(0), until, by: z.string() }).nullable(),
  pause: z.object({ mode: z.enum(['in', 'out', 'both']), until, by: z.string() }).nullable(),
  /** Containers that an operator has drained or stopped through Berth. */
  byOperator: z.array(z.string()),
  /**
   * Containers of the warm pool: made for it, or parked, and not in traffic since. Their agents cannot say so while they
   * start or are paused.
   */
  spares: z.array(z.string()).default([]),
  /**
   * How many of its instances each Docker host had when it last answered: of a host that does not answer when a
   * coordinator starts, this is all that is known.
   */
  activeOn: z.record(z.string(), z.int()).default({}),
});
export type ServiceState = z.infer<typeof serviceStateSchema>;

export function newService(service: string): ServiceState {
  return {
    service,
    wanted: null,
    wantedBy: 'nobody',
    wantedReason: 'no policy, no label and no operator says how many',
    wantedAlert: null,
    wantedFirings: [],
    beforeLoss: null,
    spec: null,
    original: null,
    override: null,
    pause: null,
    byOperator: [],
    spares: [],
    activeOn: {},
  };
}

/** The state without what has expired at `wall`. The same object when nothing has. */
export function expireState(state: ServiceState, wall: number): ServiceState {
  const isOver = (word: { until: number | null } | null) =>
    word !== null && word.until !== null && word.until <= wall;
  if (!isOver(state.override) && !isOver(state.pause) && !isOver(state.beforeLoss)) return state;
  return {
    ...state,
    override: isOver(state.override) ? null : state.override,
    pause: isOver(state.pause) ? null : state.pause,
    beforeLoss: isOver(state.beforeLoss) ? null : state.beforeLoss,
  };
}

/** The rows of the audit for what `expireState` has taken away. */
export function expiryEntries(before: ServiceState, after: ServiceState): AuditEntry[] {
  const entry = (event: string, reason: string): AuditEntry => ({
    event,
    actor: 'coordinator',
    service: before.service,
    reason,
    outcome: 'ok',
  });
  const { pause, override } = before;
  return [
    ...(pause !== null && after.pause === null
      ? [entry('scale.resumed', `the time of the pause (${pause.mode}) by ${pause.by} is over`)]
      : []),
    ...(override !== null && after.override === null
      ? [
          entry(
            'scale.released',
            `the time of the ${override.replicas} that ${override.by} had set by hand is over`,
          ),
        ]
      : []),
  ];
}

/** The state without the containers that are gone. The same object when there are none. */
export function withoutContainers(state: ServiceState, isGone: (id: string) => boolean): ServiceState {
  const { byOperator, spares } = state;
  if (!byOperator.some(isGone) && !spares.some(isGone)) return state;
  const stays = (id: string) => !isGone(id);
  return { ...state, byOperator: byOperator.filter(stays), spares: spares.filter(stays) };
}

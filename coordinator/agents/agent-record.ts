// What the coordinator knows of one agent. Ages are compared on the monotonic clock (`lastHeardAt`, `lostAt`,
// `metrics.at`); `firstSeen` and `lastSeen` are wall time, for people and the database.
import type { Phase, RegistrationReport } from '../../shared/protocol.ts';

export interface AgentRecord {
  readonly id: string;
  readonly service: string | undefined;
  readonly container: string | undefined;
  readonly hostname: string | undefined;
  /** A welcomed session that was heard within the dead-peer bound. */
  readonly connected: boolean;
  readonly phase: Phase;
  readonly registrations: readonly RegistrationReport[];
  readonly metrics: Readonly<Record<string, { readonly value: number; readonly at: number }>>;
  /** Undefined while the agent is known from the database only. */
  readonly lastHeardAt: number | undefined;
  /** When the session was lost without a goodbye; undefined while connected, after a goodbye, and when only known from the database. */
  readonly lostAt: number | undefined;
  /** The agent's own words when it said goodbye; undefined while it has not. */
  readonly goodbyeReason: string | undefined;
  /** Why the agent has been told to leave traffic; undefined when it has not, or was told to come back. */
  readonly drainReason?: string | undefined;
  readonly firstSeen: number;
  readonly lastSeen: number;
}

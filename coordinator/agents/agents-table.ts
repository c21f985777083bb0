// Agents in the database: what the next start of the coordinator should know.
import type { Kysely, Transaction } from 'kysely';
import * as z from 'zod/mini';
import { phaseSchema, registrationSchema } from '../../shared/protocol.ts';
import type { AgentsTable, Tables } from '../store/tables.ts';
import type { AgentRecord } from './agent-record.ts';

const registrationsSchema = z.array(registrationSchema);

/** Writes records over what is there. To be called in a transaction. */
export async function saveAgents(db: Transaction<Tables>, records: readonly AgentRecord[]): Promise<void> {
  const ids = records.map((record) => record.id);
  // Each database has an upsert of its own; delete and insert in one transaction is the same in all of them.
  await db.deleteFrom('agents').where('id', 'in', ids).execute();
  await db.insertInto('agents').values(records.map(toRow)).execute();
}

export async function deleteAgents(db: Transaction<Tables>, ids: readonly string[]): Promise<void> {
  await db.deleteFrom('agents').where('id', 'in', ids).execute();
}

export async function loadAgents(db: Kysely<Tables>): Promise<AgentRecord[]> {
  const rows = await db.selectFrom('agents').selectAll().execute();
  return rows.map(fromRow);
}

function toRow(record: AgentRecord): AgentsTable {
  return {
    id: record.id,
    service: record.service ?? null,
    container: record.container ?? null,
    hostname: record.hostname ?? null,
    phase: record.phase,
    registrations: JSON.stringify(record.registrations),
    goodbye_reason: withoutNul(record.goodbyeReason),
    drain_reason: withoutNul(record.drainReason),
    first_seen: record.firstSeen,
    last_seen: record.lastSeen,
  };
}

/** PostgreSQL takes no NUL in a text; one agent's must not keep the others from being saved. */
function withoutNul(text: string | undefined): string | null {
  return text?.replaceAll('\0', '') ?? null;
}

function fromRow(row: AgentsTable): AgentRecord {
  const phase = phaseSchema.safeParse(row.phase);
  const registrations = registrationsSchema.safeParse(parseJson(row.registrations));
  return {
    id: row.id,
    service: row.service ?? undefined,
    container: row.container ?? undefined,
    hostname: row.hostname ?? undefined,
    connected: false,
    phase: phase.success ? phase.data : 'unready',
    registrations: registrations.success ? registrations.data : [],
    metrics: {},
    lastHeardAt: undefined,
    lostAt: undefined,
    goodbyeReason: row.goodbye_reason ?? undefined,
    drainReason: row.drain_reason ?? undefined,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

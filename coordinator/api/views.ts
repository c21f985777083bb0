// Records as the API shows them: absent is null, times are ISO 8601 or ages.
import type { AgentRecord } from '../agents/agent-record.ts';
import type { AuditRow } from '../audit/audit-entry.ts';
import type { AgentView, AuditView } from './schemas.ts';

/** `now` is monotonic milliseconds. */
export function viewAgent(record: AgentRecord, now: number): AgentView {
  return {
    id: record.id,
    service: record.service ?? null,
    container: record.container ?? null,
    hostname: record.hostname ?? null,
    connected: record.connected,
    phase: record.phase,
    registrations: record.registrations.map((registration) => ({
      haproxy: registration.haproxy,
      backend: registration.backend ?? null,
      slot: registration.slot ?? null,
      address: registration.address ?? null,
      port: registration.port,
      state: registration.state,
      error: registration.error ?? null,
    })),
    metrics: Object.fromEntries(
      Object.entries(record.metrics).map(([name, { value, at }]) => [name, { value, ageMs: age(at, now) }]),
    ),
    heardMsAgo: record.lastHeardAt === undefined ? null : age(record.lastHeardAt, now),
    lostMsAgo: record.lostAt === undefined ? null : age(record.lostAt, now),
    goodbyeReason: record.goodbyeReason ?? null,
    drainReason: record.drainReason ?? null,
    firstSeen: new Date(record.firstSeen).toISOString(),
    lastSeen: new Date(record.lastSeen).toISOString(),
  };
}

export function viewAuditRow(row: AuditRow): AuditView {
  return {
    ...row,
    at: new Date(row.at).toISOString(),
    details: row.details === null ? null : { ...row.details },
  };
}

function age(at: number, now: number): number {
  return Math.max(0, Math.round(now - at));
}

import { type AuditEntry, type AuditRow, auditRow } from '../../coordinator/audit/audit-entry.ts';

export const rowTime = Date.parse('2026-03-02T10:00:00Z');

export function row(more: Partial<AuditEntry> = {}): AuditRow {
  return auditRow('id', rowTime, {
    event: 'scale.decided',
    actor: 'coordinator',
    outcome: 'ok',
    reason: 'the queue is long',
    service: 'web',
    from: 2,
    to: 4,
    ...more,
  });
}

// What the audit is told about alerts.
import type { AuditEntry } from '../audit/audit-entry.ts';
import type { AlertSignal } from './alert-signal.ts';
import type { InboxRow } from './inbox-row.ts';
import type { Silence } from './silence.ts';

export function alertEntry(
  event: 'alert.fired' | 'alert.resolved' | 'alert.expired' | 'alert.silenced',
  signal: AlertSignal,
  service: string | undefined,
  reason: string,
): AuditEntry {
  const { fingerprint, action, severity, step } = signal;
  return {
    event,
    actor: event === 'alert.expired' ? 'coordinator' : signal.dialect,
    outcome: event === 'alert.silenced' ? 'held' : 'ok',
    reason,
    service,
    container: signal.container?.name ?? signal.container?.id,
    host: signal.container?.host,
    haproxy: signal.haproxy?.host,
    backend: signal.haproxy?.backend,
    policy: signal.policy,
    metric: signal.metric,
    value: signal.value,
    alert: signal.name,
    details: { fingerprint, action, severity, step },
  };
}

export function refusedEntry(row: InboxRow): AuditEntry {
  return {
    event: 'alert.refused',
    actor: row.dialect,
    outcome: 'failed',
    reason: row.reason,
    service: row.service ?? undefined,
    alert: row.name ?? undefined,
    details: { inbox: row.id },
  };
}

export function silenceEntry(event: 'silence.set' | 'silence.ended', silence: Silence): AuditEntry {
  const { id, match, until, by, why } = silence;
  return {
    event,
    actor: by,
    outcome: 'ok',
    reason: why,
    service: match.service,
    details: { id, match, until: new Date(until).toISOString() },
  };
}

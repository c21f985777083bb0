// An agent's own timeline as rows of the audit.
import type { AgentEvent } from '../../shared/protocol.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import type { AgentRecord } from './agent-record.ts';

const vocabulary = /^[a-z]+(?:\.[a-z-]+)+$/;

/** `at` is wall time. An event that is not of the vocabulary is kept as `agent.said`. */
export function auditEntryOf(event: AgentEvent, record: AgentRecord, at: number): AuditEntry {
  const known = vocabulary.test(event.event);
  return {
    event: known ? event.event : 'agent.said',
    actor: 'agent',
    outcome: 'ok',
    reason: event.reason ?? '',
    at,
    agent: record.id,
    container: record.container,
    host: record.hostname,
    service: record.service,
    haproxy: event.haproxy,
    backend: event.backend,
    slot: event.slot,
    ...(known ? {} : { details: { said: event.event } }),
  };
}

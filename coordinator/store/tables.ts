// The tables as the code sees them. One schema for SQLite, MariaDB/MySQL and PostgreSQL: no booleans, no native JSON,
// no dates; times are wall milliseconds, objects are JSON text.

export interface AgentsTable {
  id: string;
  service: string | null;
  container: string | null;
  hostname: string | null;
  phase: string;
  /** JSON list of RegistrationReport. */
  registrations: string;
  goodbye_reason: string | null;
  drain_reason: string | null;
  first_seen: number;
  last_seen: number;
}

export interface AuditTable {
  /** Sorts in the order of recording (audit-entry.ts). */
  id: string;
  at: number;
  event: string;
  actor: string;
  reason: string;
  outcome: string;
  agent: string | null;
  container: string | null;
  host: string | null;
  service: string | null;
  haproxy: string | null;
  backend: string | null;
  slot: string | null;
  policy: string | null;
  metric: string | null;
  value: number | null;
  from_value: string | null;
  to_value: string | null;
  alert: string | null;
  /** JSON object. */
  details: string | null;
}

export interface AlertInboxTable {
  id: string;
  fingerprint: string;
  dialect: string;
  name: string | null;
  service: string | null;
  container: string | null;
  action: string | null;
  severity: string | null;
  status: string;
  state: string;
  reason: string;
  repeats: number;
  starts_at: number | null;
  received_at: number;
  heard_at: number;
  expires_at: number | null;
  ended_at: number | null;
  /** JSON object (alert-signal.ts). */
  signal: string | null;
  /** The document itself when it could not be read, clipped. */
  document: string | null;
}

export interface AlertSilencesTable {
  id: string;
  /** JSON object. */
  matchers: string;
  until_at: number;
  actor: string;
  reason: string;
  created_at: number;
}

export interface ServicesTable {
  service: string;
  /** JSON object (services/service-state.ts). */
  state: string;
  updated_at: number;
}

/** Policies that were written at run time; those of files and labels are not stored. */
export interface PoliciesTable {
  name: string;
  service: string;
  /** JSON object, as it was given. */
  document: string;
  updated_at: number;
  updated_by: string;
}

/** By service, since several may share a policy. */
export interface PolicyMemoryTable {
  service: string;
  policy: string;
  /** JSON objects: PolicyState, and the DecisionRecord that led to it, which can be replayed. */
  state: string;
  record: string;
  updated_at: number;
}

export interface Tables {
  agents: AgentsTable;
  audit: AuditTable;
  alert_inbox: AlertInboxTable;
  alert_silences: AlertSilencesTable;
  services: ServicesTable;
  policies: PoliciesTable;
  policy_memory: PolicyMemoryTable;
}

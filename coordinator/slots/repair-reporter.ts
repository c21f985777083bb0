// Says what was found and done at one HAProxy: one line of log and one row of the audit for each repair, one for each
// difference that is left on purpose, for as long as it stands.
import type { Log } from '../../shared/log.ts';
import type { AgentRecord } from '../agents/agent-record.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import type { Outcome } from './apply-steps.ts';
import { type SlotStep, stepKey } from './step.ts';

const events: Record<SlotStep['kind'], string> = {
  assign: 'slot.reassigned',
  add: 'slot.reassigned',
  delete: 'slot.deleted',
  'set-state': 'slot.repaired',
  release: 'slot.reclaimed',
  mute: 'slot.muted',
  'break-lock': 'lock.broken',
  hold: 'slot.held',
};

export class RepairReporter {
  readonly #haproxy: string;
  readonly #log: Log;
  readonly #audit: (entry: AuditEntry) => void;
  #holds = new Set<string>();
  #error: string | undefined;

  constructor(haproxy: string, log: Log, audit: (entry: AuditEntry) => void) {
    this.#haproxy = haproxy;
    this.#log = log;
    this.#audit = audit;
  }

  /** HAProxy came, went, or is another process. */
  note(event: string, reason: string, fields: object, message: string): void {
    const level = event === 'haproxy.found' ? 'info' : 'warn';
    this.#log[level]({ event, haproxy: this.#haproxy, ...fields }, message);
    this.#audit({ event, actor: 'coordinator', reason, outcome: 'ok', haproxy: this.#haproxy });
  }

  /** Repairs as a whole failed, or work again; the same error is said once. */
  failure(error: string | undefined): void {
    if (error !== undefined && error !== this.#error) {
      const event = 'repair.failed';
      this.#log.error({ event, haproxy: this.#haproxy, error }, error);
      this.#audit({ event, actor: 'coordinator', reason: error, outcome: 'failed', haproxy: this.#haproxy });
    }
    this.#error = error;
  }

  outcome(result: Extract<Outcome, { outcome: 'ok' | 'failed' }>, record: AgentRecord | undefined): void {
    const { step } = result;
    const line = `${events[step.kind].replace('.', ' ')}: ${step.slot.backend}/${step.slot.name}, since ${step.reason}`;
    if (result.outcome === 'ok') this.#log.info({ ...this.#fields(step), reason: step.reason }, line);
    else
      this.#log.error(
        { ...this.#fields(step), reason: step.reason, error: result.why },
        `${line}: ${result.why}`,
      );
    const reason = result.outcome === 'ok' ? step.reason : `${step.reason}; ${result.why}`;
    this.#auditStep(step, result.outcome, reason, record);
  }

  /** All that is held at the moment. */
  holds(held: readonly SlotStep[], records: ReadonlyMap<string, AgentRecord>): void {
    for (const step of held) {
      if (this.#holds.has(stepKey(step))) continue;
      const line = `slot held: ${step.slot.backend}/${step.slot.name}, since ${step.reason}`;
      this.#log.warn({ ...this.#fields(step), reason: step.reason }, line);
      this.#auditStep(step, 'held', step.reason, records.get(step.agent ?? ''));
    }
    this.#holds = new Set(held.map(stepKey));
  }

  #fields(step: SlotStep): object {
    const { backend, name } = step.slot;
    return { event: events[step.kind], haproxy: this.#haproxy, backend, slot: name, agent: step.agent };
  }

  #auditStep(
    step: SlotStep,
    outcome: AuditEntry['outcome'],
    reason: string,
    record: AgentRecord | undefined,
  ): void {
    this.#audit({
      event: events[step.kind],
      actor: 'coordinator',
      reason,
      outcome,
      haproxy: this.#haproxy,
      backend: step.slot.backend,
      slot: step.slot.name,
      agent: step.agent,
      container: record?.container,
      service: record?.service,
      ...('app' in step ? { to: `${step.app.address}:${step.app.port}` } : {}),
    });
  }
}

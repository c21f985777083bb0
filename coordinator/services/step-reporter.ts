// Tells the log and the audit of each step on an instance, and of what is held back: once, and again when the reason
// changes.
import { describeError, isBerthError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import type { Done } from './instance-executor.ts';
import type { InstanceStep } from './instance-step.ts';

export type Act = Exclude<InstanceStep, { kind: 'hold' }>;

const events: Record<Act['kind'], string> = {
  undrain: 'instance.undrained',
  unpark: 'instance.unparked',
  start: 'instance.started',
  create: 'instance.created',
  drain: 'instance.drained',
  park: 'instance.parked',
  stop: 'instance.stopped',
  remove: 'instance.removed',
};

/**
 * Seconds to the next try count down, those of an illness count up, and room comes and goes with what others do: the
 * reason stays the same. How many instances it is about is another matter.
 */
const varying = /\d[\d.]*(?= (?:s|bytes|[KMGT]B|CPUs)\b)/g;

export class StepReporter {
  readonly #log: Log;
  readonly #audit: (entry: AuditEntry) => void;
  readonly #holds = new Map<string, string>();

  constructor(log: Log, audit: (entry: AuditEntry) => void) {
    this.#log = log;
    this.#audit = audit;
  }

  done(step: Act, service: string, { container, host, name }: Done): void {
    const reason = `${name}: ${step.reason}`;
    this.#say({
      event: events[step.kind],
      actor: 'coordinator',
      service,
      reason,
      outcome: 'ok',
      container,
      host,
      alert: step.alert,
    });
  }

  failed(step: Act, service: string, host: string | undefined, error: unknown): void {
    const code = isBerthError(error) ? error.code : undefined;
    const about = {
      ...('id' in step ? { container: step.id } : {}),
      ...(host === undefined ? {} : { host }),
    };
    const name = 'name' in step ? `${step.name}: ` : host === undefined ? '' : `on ${host}: `;
    const reason = `${name}${step.reason}; ${describeError(error)}`;
    this.#say({
      event: events[step.kind],
      actor: 'coordinator',
      service,
      reason,
      outcome: 'failed',
      ...about,
      alert: step.alert,
      details: { code },
    });
  }

  /** What cannot be done, of the steps of a plan. */
  holds(service: string, steps: readonly InstanceStep[]): void {
    const reason = steps
      .filter((step) => step.kind === 'hold')
      .map((step) => step.reason)
      .join('; ');
    const key = reason.replaceAll(varying, '#');
    if (this.#holds.get(service) === key) return;
    this.#holds.set(service, key);
    if (reason !== '')
      this.#say({ event: 'service.held', actor: 'coordinator', service, reason, outcome: 'held' });
  }

  #say(entry: AuditEntry): void {
    const line = `${entry.event.replace('.', ' ')}: ${entry.service}: ${entry.reason}`;
    if (entry.outcome === 'ok') this.#log.info(entry, line);
    else this.#log.warn(entry, line);
    this.#audit(entry);
  }
}

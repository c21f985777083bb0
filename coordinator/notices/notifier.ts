// Tells chats and webhooks of what the audit records. It is given each row, and is never in the way of one.
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { AuditRow } from '../audit/audit-entry.ts';
import { NoticeSender, type NoticeStatus } from './notice-sender.ts';
import type { NoticeTarget } from './notice-target.ts';

export interface NotifierOptions {
  targets: readonly NoticeTarget[];
  clock: Clock;
  log: Log;
  /** How long one attempt may take. */
  timeoutMs?: number;
}

export class Notifier {
  readonly #senders: readonly NoticeSender[];
  readonly #log: Log;

  constructor({ targets, clock, log, timeoutMs = 5000 }: NotifierOptions) {
    this.#log = log;
    this.#senders = targets.map((target) => new NoticeSender({ target, clock, log, timeoutMs }));
  }

  /** To be given to `Audit.onRow`. Takes no time and never throws. */
  notify(row: AuditRow): void {
    try {
      for (const sender of this.#senders) sender.offer(row);
    } catch (error) {
      this.#log.error(
        { event: 'notice.failed', error: describeError(error) },
        'a row was not offered to a notice',
      );
    }
  }

  status(): NoticeStatus[] {
    return this.#senders.map((sender) => sender.status());
  }

  /** Tells what waits, within `deadlineMs`. */
  async close(deadlineMs = 3000): Promise<void> {
    await Promise.all(this.#senders.map((sender) => sender.close(deadlineMs)));
  }
}

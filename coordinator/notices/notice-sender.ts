// Delivers to one target, in the background. `offer` only puts a row into a small buffer; nobody ever waits for a chat.
//
//   row ──► buffer ──(a moment, and a token of the rate limit)──► one message with all that waits ──► delivered
//             ▲                                                          │ tried again with growing pauses
//             └──── counted in the next message ◄── given up ────────────┘
//
// INVARIANTS
// 1. One message at a time; at most `perMinute` of them, whatever happens.
// 2. Bounded memory: rows beyond the first few are counts (notice-buffer.ts).
// 3. A target that is slow, dead or refusing costs nothing but its own messages.
import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import { TokenBucket } from '../agents/token-bucket.ts';
import type { AuditRow } from '../audit/audit-entry.ts';
import { type Notice, NoticeBuffer } from './notice-buffer.ts';
import { type NoticeTarget, wantsRow } from './notice-target.ts';
import { type Delivery, postNotice } from './post-notice.ts';

/** What happens together is told together. */
const gatherMs = 300;
const burst = 3;
const attempts = 5;
const firstPauseMs = 1000;
/** After a message was given up. */
const restMs = 60_000;

export interface NoticeStatus {
  name: string;
  kind: NoticeTarget['kind'];
  /** Messages since the start. */
  sent: number;
  failed: number;
  /** Rows that wait to be told. */
  waiting: number;
  /** Why the last message failed; undefined when it did not. */
  reason: string | undefined;
}

export class NoticeSender {
  readonly #target: NoticeTarget;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #timeoutMs: number;
  readonly #buffer = new NoticeBuffer();
  readonly #bucket: TokenBucket;
  readonly #closing = new AbortController();
  readonly #giveUp = new AbortController();
  #loop: Promise<void> | undefined;
  #sent = 0;
  #failed = 0;
  #reason: string | undefined;

  constructor(options: { target: NoticeTarget; clock: Clock; log: Log; timeoutMs: number }) {
    this.#target = options.target;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#timeoutMs = options.timeoutMs;
    const { perMinute } = options.target;
    this.#bucket = new TokenBucket(perMinute / 60, Math.min(burst, perMinute), options.clock.monotonic());
  }

  offer(row: AuditRow): void {
    if (this.#closing.signal.aborted || !wantsRow(this.#target, row)) return;
    this.#buffer.add(row);
    this.#start();
  }

  status(): NoticeStatus {
    const { name, kind } = this.#target;
    return {
      name,
      kind,
      sent: this.#sent,
      failed: this.#failed,
      waiting: this.#buffer.size,
      reason: this.#reason,
    };
  }

  /** Tells what waits in one last message, within `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    this.#closing.abort();
    const over = new AbortController();
    const deadline = this.#clock.sleep(deadlineMs, over.signal).then(() => this.#giveUp.abort());
    await this.#loop;
    over.abort();
    await deadline;
  }

  #start(): void {
    this.#loop ??= this.#run().finally(() => {
      this.#loop = undefined;
      // A row may have come between the loop's last look and its end.
      if (!this.#buffer.empty && !this.#closing.signal.aborted) this.#start();
    });
  }

  async #run(): Promise<void> {
    while (!this.#buffer.empty) {
      const closing = this.#closing.signal;
      await this.#clock.sleep(gatherMs, closing);
      while (!closing.aborted && !this.#bucket.take(1, this.#clock.monotonic())) {
        await this.#clock.sleep(60_000 / this.#target.perMinute, closing);
      }
      const notice = this.#buffer.take();
      if (await this.#deliver(notice)) continue;
      this.#buffer.putBack(notice);
      if (closing.aborted) return;
      await this.#clock.sleep(restMs, closing);
    }
  }

  async #deliver(notice: Notice): Promise<boolean> {
    for (let attempt = 1, pauseMs = firstPauseMs; ; attempt += 1, pauseMs *= 2) {
      const delivery = await this.#post(notice);
      if (delivery.ok) {
        this.#succeed();
        return true;
      }
      const { reason, again, afterMs = pauseMs } = delivery;
      if (!again || attempt === attempts || this.#closing.signal.aborted) {
        this.#fail(reason);
        return false;
      }
      await this.#clock.sleep(afterMs, this.#closing.signal);
    }
  }

  async #post(notice: Notice): Promise<Delivery> {
    const late = new AbortController();
    const done = new AbortController();
    const timer = this.#clock.sleep(this.#timeoutMs, done.signal).then(() => late.abort());
    const signal = AbortSignal.any([late.signal, this.#giveUp.signal]);
    const delivery = await postNotice(this.#target, notice, this.#clock.wall(), signal);
    done.abort();
    await timer;
    return delivery;
  }

  #succeed(): void {
    this.#sent += 1;
    if (this.#reason !== undefined) {
      this.#log.info({ event: 'notice.resumed', target: this.#target.name }, 'notices are delivered again');
    }
    this.#reason = undefined;
  }

  #fail(reason: string): void {
    this.#failed += 1;
    if (this.#reason !== reason) {
      const fields = { event: 'notice.failed', target: this.#target.name, kind: this.#target.kind, reason };
      this.#log.warn(fields, 'a notice was not delivered; the next one counts what was in it');
    }
    this.#reason = reason;
  }
}

// BERTH_ON_AGENT_EXIT=keep: the app's parent does nothing but parenthood, and all that deals with HAProxy runs in a
// second process, the worker (`agent.cjs guarded`, a sidecar that takes orders: orders.ts). If that one dies it is
// started again and finds its slot by the app's address; the app never notices.
//
// Level-triggered: what the parent wants by now is kept here, and a worker that comes up is told it. So a stop also goes
// its way when the worker is dead, waits for its next start, or is still booting: orders wait in its channel.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../shared/clock.ts';
import type { Log } from '../shared/log.ts';
import { Wakeup } from '../shared/wakeup.ts';
import { isReport, type Order } from './orders.ts';
import { ownCommand } from './own-command.ts';
import type { Attachment } from './parent.ts';
import type { LeaveTimes } from './stop-budget.ts';

/** For a worker that has to be started first as well. */
const endMs = 3000;
const againMs = { first: 100, most: 5000 };
const mostNotes = 100;

export class GuardedAttachment implements Attachment {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #onGiveUp: (reason: string) => void;
  readonly #hurry = new Wakeup();
  readonly #left = new AbortController();
  readonly #over = new AbortController();
  #leave: { reason: string; times: LeaveTimes; skip: AbortSignal } | undefined;
  #endReason: string | undefined;
  /** What no worker has been told. */
  #notes: Order[] = [];
  #worker: ChildProcess | undefined;
  #done: Promise<void> = Promise.resolve();

  constructor(hooks: { log: Log; clock: Clock; onGiveUp(reason: string): void }) {
    this.#log = hooks.log;
    this.#clock = hooks.clock;
    this.#onGiveUp = (reason) => hooks.onGiveUp(reason);
  }

  start(): void {
    this.#done = this.#keepWorking();
  }

  note(event: string, reason: string): void {
    const note: Order = { order: 'note', event, reason };
    if (this.#worker !== undefined) this.#tell(note);
    else if (this.#notes.length < mostNotes) this.#notes.push(note);
  }

  async leave(reason: string, times: LeaveTimes, skip: AbortSignal): Promise<void> {
    this.#leave = { reason, times, skip };
    this.#tellLeave();
    skip.addEventListener('abort', () => this.#tell({ order: 'skip' }), { once: true });
    this.#hurry.wake();
    const left = Math.max(0, times.hookUntil - this.#clock.monotonic());
    await this.#clock.sleep(left, AbortSignal.any([skip, this.#left.signal]));
  }

  async end(reason: string): Promise<void> {
    this.#endReason = reason;
    this.#tell({ order: 'end', reason });
    this.#hurry.wake();
    await Promise.race([this.#done, this.#clock.sleep(endMs)]);
    this.#over.abort();
    this.#worker?.kill('SIGKILL');
  }

  async #keepWorking(): Promise<void> {
    const over = this.#over.signal;
    for (let deaths = 0; ; deaths += 1) {
      const began = this.#clock.monotonic();
      const end = await this.#work();
      if (over.aborted || (this.#endReason !== undefined && end === 0)) return;
      this.#log.error(
        { event: 'agent.died', end },
        `the working half of the agent died (${end}) and is started again`,
      );
      if (this.#clock.monotonic() - began > 60_000) deaths = 0;
      const stopping = this.#leave !== undefined || this.#endReason !== undefined;
      const most = stopping ? againMs.first : againMs.most;
      await this.#hurry.sleep(this.#clock, Math.min(againMs.first * 2 ** deaths, most), over);
    }
  }

  /** One life of the worker; its exit code, or the signal that it died of. */
  async #work(): Promise<number | string> {
    const { file, args } = ownCommand('guarded');
    // A session of its own, so that keys typed at the terminal do not reach it.
    const worker = spawn(file, args, { stdio: ['ignore', 2, 2, 'ipc'], detached: true });
    this.#worker = worker;
    worker.on('message', (message) => this.#hear(message));
    const end = new Promise<number | string>((resolve) => {
      worker.once('error', (error) => resolve(error.message));
      worker.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    });
    for (const note of this.#notes.splice(0)) this.#tell(note);
    this.#tellLeave();
    if (this.#endReason !== undefined) this.#tell({ order: 'end', reason: this.#endReason });
    const how = await end;
    this.#worker = undefined;
    return how;
  }

  #hear(message: unknown): void {
    if (!isReport(message)) return;
    if (message.report === 'left') this.#left.abort();
    else this.#onGiveUp(message.reason);
  }

  /** What is left of the times. A worker after one that had left has nothing to wait for, and runs no hook again. */
  #tellLeave(): void {
    if (this.#leave === undefined) return;
    const { reason, times, skip } = this.#leave;
    const now = this.#clock.monotonic();
    const left = (until: number) => (this.#left.signal.aborted ? 0 : Math.max(0, until - now));
    const [drainMs, hookMs] = [left(times.drainUntil), left(times.hookUntil)];
    this.#tell({ order: 'leave', reason, drainMs, hookMs });
    if (skip.aborted) this.#tell({ order: 'skip' });
  }

  #tell(order: Order): void {
    // A worker that is dead says so by its exit.
    if (this.#worker?.connected === true) this.#worker.send(order, () => undefined);
  }
}

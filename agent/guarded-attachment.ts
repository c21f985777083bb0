// BERTH_ON_AGENT_EXIT=keep: the app's parent does nothing but parenthood, and all that deals with HAProxy runs in a
// second process (`agent.cjs guarded`, a sidecar). If that one dies it is started again and finds its slot by the
// app's address; the app never notices. The two need no protocol of their own:
//
//   parent → worker   SIGTERM: leave in order and end; a second SIGTERM: at once
//   worker → parent   exit code 0: left in order; 70: a probe gave the app up; anything else: it died
import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../shared/clock.ts';
import type { Log } from '../shared/log.ts';
import { exitCodes } from './exit-codes.ts';
import { ownCommand } from './own-command.ts';
import type { Attachment } from './parent.ts';
import type { StopBudget } from './stop-budget.ts';

const endMs = 2500;
const againMs = { first: 100, most: 5000 };

export class GuardedAttachment implements Attachment {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #onGiveUp: (reason: string) => void;
  readonly #leaving = new AbortController();
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

  note(): void {
    // The worker reports what it sees; the parent's part is in the log.
  }

  async leave(_reason: string, budget: StopBudget, skip: AbortSignal): Promise<void> {
    this.#leaving.abort();
    this.#worker?.kill('SIGTERM');
    const onSkip = () => this.#worker?.kill('SIGTERM');
    skip.addEventListener('abort', onSkip, { once: true });
    const late = this.#clock.sleep(Math.max(0, budget.hookUntil - this.#clock.monotonic()), skip);
    await Promise.race([this.#done, late]);
  }

  async end(): Promise<void> {
    if (!this.#leaving.signal.aborted) this.#worker?.kill('SIGTERM');
    this.#leaving.abort();
    this.#worker?.kill('SIGTERM');
    await Promise.race([this.#done, this.#clock.sleep(endMs)]);
    this.#worker?.kill('SIGKILL');
  }

  async #keepWorking(): Promise<void> {
    for (let deaths = 0; !this.#leaving.signal.aborted; deaths += 1) {
      const began = this.#clock.monotonic();
      const end = await this.#work();
      if (this.#leaving.signal.aborted) return;
      if (end === exitCodes.givenUp) {
        this.#onGiveUp('a probe failed');
        return;
      }
      this.#log.error(
        { event: 'agent.died', end },
        `the working half of the agent died (${end}) and is started again`,
      );
      if (this.#clock.monotonic() - began > 60_000) deaths = 0;
      await this.#clock.sleep(Math.min(againMs.first * 2 ** deaths, againMs.most), this.#leaving.signal);
    }
  }

  /** One life of the worker; its exit code, or the signal that it died of. */
  #work(): Promise<number | string> {
    const { file, args } = ownCommand('guarded');
    // A session of its own, so that keys typed at the terminal do not reach it. Its stdin tells it that the parent lives.
    const worker = spawn(file, args, { stdio: ['pipe', 2, 2], detached: true });
    this.#worker = worker;
    worker.stdin?.on('error', () => undefined); // it died; 'exit' tells
    return new Promise((resolve) => {
      worker.once('error', (error) => resolve(error.message));
      worker.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    });
  }
}

// Sidecar mode: no app of its own. The app runs beside, in the same network namespace; the agent registers it, and
// leaves on its own signal, when the app's port is gone for long, or when a probe gives the app up.
//
// It is also the worker of BERTH_ON_AGENT_EXIT=keep (guarded-attachment.ts). As long as its parent lives that one alone
// says when to leave and when to end; a parent that is dead leaves it as any other sidecar, to see the app to its end.
import type { Clock } from '../shared/clock.ts';
import { formatDuration } from '../shared/duration.ts';
import type { Log } from '../shared/log.ts';
import { readOwnCgroup } from './cgroup.ts';
import type { Config } from './config.ts';
import { exitCodes } from './exit-codes.ts';
import { guarded } from './guard.ts';
import { HaproxyAttachment } from './haproxy-attachment.ts';
import type { Identity } from './identity.ts';
import type { Order, Report } from './orders.ts';
import { untilPortIsGone } from './port-gone.ts';
import { meaningOf } from './signals.ts';
import { planStop } from './stop-budget.ts';

/** How long one that was started to give the slot back looks for it. */
const arriveMs = 1000;

export class Sidecar {
  readonly #config: Config;
  readonly #hooks: { log: Log; clock: Clock };
  readonly #attachment: HaproxyAttachment;
  readonly #skip = new AbortController();
  readonly #left: Promise<number>;
  #resolveLeft: (code: number) => void = () => undefined;
  #leaving = false;
  #leftForParent: Promise<void> | undefined;
  #ending = false;
  #answering: boolean | undefined;
  #gaveUp: string | undefined;
  #tellParent: ((report: Report) => void) | undefined;
  #watch = new AbortController();

  /** `tellParent`: there is one, which sees to the app's end. */
  constructor(
    config: Config,
    identity: Identity,
    tellParent: ((report: Report) => void) | undefined,
    hooks: { log: Log; clock: Clock },
  ) {
    this.#config = config;
    this.#hooks = hooks;
    this.#tellParent = tellParent;
    this.#left = new Promise((resolve) => {
      this.#resolveLeft = resolve;
    });
    this.#attachment = new HaproxyAttachment(config, identity, {
      ...hooks,
      // A sidecar's own container is not the app's.
      ...(tellParent === undefined ? {} : { cgroup: readOwnCgroup }),
      onGiveUp: (reason) => {
        this.#gaveUp = reason;
        if (this.#tellParent === undefined) void this.#leave(reason, exitCodes.givenUp);
        else this.#tellParent({ report: 'gave-up', reason });
      },
      onAnswering: (answering) => {
        this.#answering = answering;
        void this.#watchPort();
      },
    });
  }

  /** Runs until it has left; the exit code. */
  run(): Promise<number> {
    this.#attachment.start();
    return this.#left;
  }

  receive(signal: NodeJS.Signals): void {
    if (this.#tellParent !== undefined || meaningOf(signal, false) !== 'stop') return;
    if (this.#leaving) this.#skip.abort();
    else void this.#leave(`${signal} received`, 0);
  }

  /** What the parent wants. */
  obey(order: Order): void {
    switch (order.order) {
      case 'leave':
        this.#leaving = true;
        this.#leftForParent = this.#leaveForParent(order);
        return;
      case 'skip':
        this.#skip.abort();
        return;
      case 'note':
        this.#attachment.note(order.event, order.reason);
        return;
      case 'end':
        void this.#end(order.reason, 0, AbortSignal.timeout(arriveMs));
    }
  }

  /** The parent is gone: from now on nobody else sees to the app's end. */
  becomeAlone(): void {
    this.#tellParent = undefined;
    if (this.#leftForParent !== undefined) {
      void this.#leftForParent.then(() =>
        this.#end('its parent died while it stopped', 0, AbortSignal.abort()),
      );
    } else if (this.#gaveUp !== undefined) void this.#leave(this.#gaveUp, exitCodes.givenUp);
    else void this.#watchPort();
  }

  /** Looks after the port for as long as the app is unready. */
  async #watchPort(): Promise<void> {
    this.#watch.abort();
    if (this.#answering !== false || this.#tellParent !== undefined || this.#leaving) return;
    this.#watch = new AbortController();
    const { sidecarGone: goneMs } = this.#config.stop;
    const { interval: intervalMs, timeout: timeoutMs } = this.#config.ready;
    const settings = { goneMs, intervalMs, timeoutMs };
    const target = () => this.#attachment.target;
    if (!(await untilPortIsGone(target, settings, this.#hooks.clock, this.#watch.signal))) return;
    const reason = `the app's port has taken no connection for ${formatDuration(goneMs)}`;
    await this.#leave(reason, exitCodes.givenUp);
  }

  async #leave(reason: string, code: number): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#watch.abort();
    const { log, clock } = this.#hooks;
    log.info({ event: 'agent.stopping', reason }, `stopping: ${reason}`);
    const times = planStop(clock.monotonic(), this.#config.stop);
    await guarded(this.#attachment.leave(reason, times, this.#skip.signal), log);
    await this.#end(reason, code, AbortSignal.abort());
  }

  async #leaveForParent({ reason, drainMs, hookMs }: Extract<Order, { order: 'leave' }>): Promise<void> {
    const now = this.#hooks.clock.monotonic();
    const times = { drainUntil: now + drainMs, hookUntil: now + hookMs };
    const skip = this.#skip.signal;
    // One that has just been started does not know yet which slot is to be left.
    this.#attachment.intendToLeave(reason);
    await this.#attachment.arrived(AbortSignal.any([skip, AbortSignal.timeout(Math.ceil(drainMs))]));
    if (hookMs > 0) await guarded(this.#attachment.leave(reason, times, skip), this.#hooks.log);
    this.#tellParent?.({ report: 'left' });
  }

  /** Gives the slot back, once it is known or `enough` aborts. */
  async #end(reason: string, code: number, enough: AbortSignal): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    this.#attachment.intendToLeave(reason);
    await this.#attachment.arrived(enough);
    const { log } = this.#hooks;
    await guarded(this.#attachment.end(reason), log);
    log.info({ event: 'agent.stopped', code }, `the slot is given back: ${reason}`);
    this.#resolveLeft(code);
  }
}

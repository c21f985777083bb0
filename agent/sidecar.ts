// Sidecar mode: no app of its own. The app runs beside, in the same network namespace; the agent registers it, and
// leaves on its own signal, when the app's port is gone for long, or when a probe gives the app up.
import type { Clock } from '../shared/clock.ts';
import { formatDuration } from '../shared/duration.ts';
import type { Log } from '../shared/log.ts';
import type { Config } from './config.ts';
import { exitCodes } from './exit-codes.ts';
import { HaproxyAttachment } from './haproxy-attachment.ts';
import type { Identity } from './identity.ts';
import { meaningOf } from './signals.ts';
import { planStop } from './stop-budget.ts';

export class Sidecar {
  readonly #config: Config;
  readonly #hooks: { log: Log; clock: Clock };
  readonly #attachment: HaproxyAttachment;
  readonly #skip = new AbortController();
  readonly #left: Promise<number>;
  #resolveLeft: (code: number) => void = () => undefined;
  #leaving = false;
  #answering: boolean | undefined;
  #guarded: boolean;
  #goneTimer: NodeJS.Timeout | undefined;

  /** `guarded`: somebody else sees to the app's end, so a port that is gone is no reason to leave. */
  constructor(config: Config, identity: Identity, guarded: boolean, hooks: { log: Log; clock: Clock }) {
    this.#config = config;
    this.#hooks = hooks;
    this.#guarded = guarded;
    this.#left = new Promise((resolve) => {
      this.#resolveLeft = resolve;
    });
    this.#attachment = new HaproxyAttachment(config, identity, {
      ...hooks,
      onGiveUp: (reason) => void this.#leave(reason, exitCodes.givenUp),
      onAnswering: (answering) => {
        this.#answering = answering;
        this.#watchPort();
      },
    });
  }

  /** Runs until it has left; the exit code. */
  run(): Promise<number> {
    this.#attachment.start();
    return this.#left;
  }

  receive(signal: NodeJS.Signals): void {
    if (meaningOf(signal, false) !== 'stop') return;
    if (this.#leaving) this.#skip.abort();
    else void this.#leave(`${signal} received`, 0);
  }

  /** The guard is gone: from now on nobody else sees to the app's end. */
  becomeAlone(): void {
    this.#guarded = false;
    this.#watchPort();
  }

  #watchPort(): void {
    clearTimeout(this.#goneTimer);
    if (this.#answering !== false || this.#guarded || this.#leaving) return;
    const { sidecarGone } = this.#config.stop;
    const reason = `the app has not answered for ${formatDuration(sidecarGone)}`;
    this.#goneTimer = setTimeout(() => void this.#leave(reason, exitCodes.givenUp), sidecarGone);
  }

  async #leave(reason: string, code: number): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    clearTimeout(this.#goneTimer);
    const { log, clock } = this.#hooks;
    log.info({ event: 'agent.stopping', reason }, `stopping: ${reason}`);
    await this.#attachment.leave(reason, planStop(clock.monotonic(), this.#config.stop), this.#skip.signal);
    await this.#attachment.end(reason);
    log.info({ event: 'agent.stopped', code }, `the slot is given back: ${reason}`);
    this.#resolveLeft(code);
  }
}

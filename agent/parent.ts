// The agent as the app's parent: starts it, passes signals on, stops it in order, ends with its exit code.
//
//   running ── TERM, INT, QUIT ──► leave traffic (drain, hook) ──► signal ── grace ──► KILL
//      │                             └ a second one: no more waiting ─►┘
//      ├── a probe gave the app up ──► out of traffic, at most a second ──► TERM ── grace ──► KILL
//      └── the app ends, now or at any point above ──► slot to maintenance and released ──► its exit code
import type { Clock } from '../shared/clock.ts';
import { describeError, isBerthError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import { type AppExit, AppProcess, type AppStart, exitCodeOf } from './app-process.ts';
import { exitCodes } from './exit-codes.ts';
import { guarded } from './guard.ts';
import { meaningOf } from './signals.ts';
import { type LeaveTimes, planStop } from './stop-budget.ts';
import { isAtTerminal } from './surroundings.ts';

/** The half that deals with HAProxy, as the parent sees it. */
export interface Attachment {
  start(): void;
  note(event: string, reason: string): void;
  /** Out of traffic, at most until these times or until `skip` aborts. */
  leave(reason: string, times: LeaveTimes, skip: AbortSignal): Promise<void>;
  /** Every slot given back; bounded. */
  end(reason: string): Promise<void>;
}

export interface ParentHooks {
  log: Log;
  clock: Clock;
  /** Makes the other half, once the app runs. */
  makeAttachment(onGiveUp: (reason: string) => void): Promise<Attachment>;
}

/** How long an app that a probe has given up may take to get out of traffic. */
const givenUpDrainMs = 1000;

export class Parent {
  readonly #stopSettings: { drainTimeout: number; stopTimeout: number };
  readonly #hooks: ParentHooks;
  readonly #skip = new AbortController();
  readonly #ended = new AbortController();
  readonly #early: NodeJS.Signals[] = [];
  #app: AppProcess | undefined;
  #attachment: Attachment | undefined;
  #stopping: NodeJS.Signals | undefined;
  #signalled = false;
  #givenUp = false;

  constructor(stopSettings: { drainTimeout: number; stopTimeout: number }, hooks: ParentHooks) {
    this.#stopSettings = stopSettings;
    this.#hooks = hooks;
  }

  /** Runs the app to its end; the exit code for the agent. */
  async run(start: AppStart): Promise<number> {
    const { log } = this.#hooks;
    let app: AppProcess;
    try {
      app = await AppProcess.start(start);
    } catch (error) {
      if (!isBerthError(error)) throw error;
      log.error({ event: 'app.start-failed', code: error.code }, describeError(error));
      return isBerthError(error, 'app.not-found') ? exitCodes.notFound : exitCodes.notExecutable;
    }
    this.#app = app;
    log.info({ event: 'app.started', pid: app.pid, command: start.command }, 'the app was started');
    const exited = app.exited.then((exit) => {
      this.#ended.abort();
      return exit;
    });
    this.#attachment = await this.#hooks.makeAttachment((reason) => this.#giveUp(reason));
    this.#attachment.start();
    for (const signal of this.#early.splice(0)) this.receive(signal);
    return this.#finish(await exited);
  }

  /** What to do with a signal that was sent to the agent. */
  receive(signal: NodeJS.Signals): void {
    const app = this.#app;
    if (app === undefined || this.#attachment === undefined) {
      this.#early.push(signal);
      return;
    }
    const meaning = meaningOf(signal, isAtTerminal());
    this.#hooks.log.debug({ event: 'signal.received', signal, meaning }, `${signal}: ${meaning}`);
    if (meaning === 'ignore') return;
    if (meaning === 'forward' || this.#signalled) {
      app.send(signal);
      return;
    }
    const waiting = this.#stopping !== undefined;
    this.#stopping = signal;
    if (waiting) this.#skip.abort();
    else void this.#stop(this.#attachment, app, `${signal} received`, this.#stopSettings);
  }

  #giveUp(reason: string): void {
    this.#givenUp = true;
    if (this.#app === undefined || this.#attachment === undefined || this.#stopping !== undefined) return;
    this.#stopping = 'SIGTERM';
    const { drainTimeout, stopTimeout } = this.#stopSettings;
    const settings = { drainTimeout: Math.min(drainTimeout, givenUpDrainMs), stopTimeout };
    void this.#stop(this.#attachment, this.#app, reason, settings);
  }

  async #stop(
    attachment: Attachment,
    app: AppProcess,
    reason: string,
    settings: { drainTimeout: number; stopTimeout: number },
  ): Promise<void> {
    const { log, clock } = this.#hooks;
    const began = clock.monotonic();
    const budget = planStop(began, settings);
    log.info({ event: 'agent.stopping', reason }, `stopping: ${reason}`);
    const enough = AbortSignal.any([this.#skip.signal, this.#ended.signal]);
    await guarded(attachment.leave(reason, budget, enough), log);
    if (this.#ended.signal.aborted) return;
    this.#signalled = true;
    const signal = this.#stopping ?? 'SIGTERM';
    const sentAt = clock.monotonic();
    const after = Math.round(sentAt - began);
    log.info(
      { event: 'app.stopping', signal, ms: after },
      `${signal} to the app, ${after} ms after the stop began`,
    );
    attachment.note('app.stopping', `${signal} after ${after} ms`);
    app.send(signal);
    await clock.sleep(Math.max(0, budget.killAt(sentAt) - sentAt), this.#ended.signal);
    if (this.#ended.signal.aborted) return;
    const grace = Math.round(clock.monotonic() - sentAt);
    log.warn({ event: 'app.killed', ms: grace }, `the app did not end within ${grace} ms of ${signal}`);
    attachment.note('app.killed', `${grace} ms after ${signal}`);
    app.send('SIGKILL');
  }

  async #finish(exit: AppExit): Promise<number> {
    const { log, clock } = this.#hooks;
    const how = exit.kind === 'code' ? `exit code ${exit.code}` : `death by ${exit.signal}`;
    log.info({ event: 'app.exited', ...exit }, `the app ended: ${how}`);
    const began = clock.monotonic();
    this.#attachment?.note('app.exited', how);
    if (this.#attachment !== undefined) await guarded(this.#attachment.end(`the app ended: ${how}`), log);
    const code = exitCodeOf(exit);
    const final = this.#givenUp && code === 0 ? exitCodes.givenUp : code;
    const ms = Math.round(clock.monotonic() - began);
    log.info({ event: 'agent.stopped', code: final, ms }, `the slot is given back; exit code ${final}`);
    return final;
  }
}

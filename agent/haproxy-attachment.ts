// Everything that is not parenthood: the link to each HAProxy, the probes, the heartbeat. The app's parent (or the
// sidecar) tells it when to leave and when the end has come; it tells when the app should be ended.
import type { Clock } from '../shared/clock.ts';
import type { Log } from '../shared/log.ts';
import type { Phase } from '../shared/protocol.ts';
import { AppMetrics } from './app-metrics.ts';
import type { ReadCgroup } from './cgroup.ts';
import type { Config } from './config.ts';
import { HaproxyLink } from './haproxy-link.ts';
import { HaproxyLinks } from './haproxy-links.ts';
import { serveHealth } from './health.ts';
import { Heartbeat } from './heartbeat.ts';
import { formatHello } from './hello.ts';
import type { Identity } from './identity.ts';
import { drainAll, runPreStop } from './leave.ts';
import { localAddress } from './local-address.ts';
import { lookUp } from './look-up.ts';
import type { ProbeTarget } from './probe-attempt.ts';
import { Prober } from './prober.ts';
import type { LeaveTimes } from './stop-budget.ts';
import { Timeline, type TimelineEntry } from './timeline.ts';
import { decidePhase, type Situation } from './wanted.ts';

export interface HaproxyAttachmentHooks {
  log: Log;
  clock: Clock;
  /** The startup or the liveness probe has failed for good: the app is to be ended. Called once. */
  onGiveUp(reason: string): void;
  /** Whether the app answers; called on each change. */
  onAnswering?(answering: boolean): void;
  /** The cgroup that the app is in; without one nothing is said of the container. */
  cgroup?: ReadCgroup;
}

/** A release that HAProxy does not answer is given up after this long; its health check takes the slot out. */
const releaseMs = 1500;
const toldHoldsMs = 30_000;
const arrivalPollMs = 20;

export class HaproxyAttachment {
  readonly #config: Config;
  readonly #identity: Identity;
  readonly #hooks: HaproxyAttachmentHooks;
  readonly #timeline: Timeline;
  readonly #abort = new AbortController();
  readonly #links: HaproxyLinks;
  readonly #startup: Prober | undefined;
  readonly #live: Prober | undefined;
  readonly #metrics: AppMetrics;
  readonly #heartbeat: Heartbeat | undefined;
  #situation: Situation = { started: false, leaving: undefined, told: undefined };
  #phase: Phase = 'starting';
  /** Phase and registrations as they were last told to the coordinator at once. */
  #told = '';
  #answering = false;
  #gaveUp = false;

  constructor(config: Config, identity: Identity, hooks: HaproxyAttachmentHooks) {
    const { log, clock } = hooks;
    this.#config = config;
    this.#identity = identity;
    this.#hooks = hooks;
    this.#timeline = new Timeline(clock);
    this.#startup = this.#makeProber(config.startup, 'startup');
    this.#live = this.#makeProber(config.live, 'liveness');
    this.#situation.started = this.#startup === undefined;
    this.#links = new HaproxyLinks(config.endpoints, {
      log,
      clock,
      lookup: lookUp,
      connect: (endpoint, signal) =>
        new HaproxyLink(
          endpoint,
          config,
          identity.id,
          {
            log,
            clock,
            onChange: () => this.#update(),
            onEvent: (event) => this.#record(event),
          },
          signal,
        ),
      onChange: () => this.#update(),
    });
    this.#metrics = new AppMetrics(
      { ...config.metrics, sources: config.metrics.sources ?? [] },
      () => (this.#phase === 'starting' ? undefined : this.target),
      hooks.cgroup ?? (() => undefined),
      hooks,
    );
    this.#heartbeat = this.#makeHeartbeat();
  }

  /** Begins; returns at once. */
  start(): void {
    const { signal } = this.#abort;
    void this.#links.run(signal);
    serveHealth(this.#config.app.port, () => this.#status(), this.#hooks.log, signal);
    void this.#heartbeat?.run(signal);
    if (this.#heartbeat !== undefined) void this.#metrics.run(signal);
    if (this.#startup === undefined) void this.#live?.run(signal);
    else void this.#startup.run(signal);
  }

  /** Adds to the timeline that goes to the coordinator's audit. */
  note(event: string, reason: string): void {
    this.#record({ event, reason });
  }

  /** Resolves when every HAProxy has told what it has of this app, or is away; or `signal` aborts. */
  async arrived(signal: AbortSignal): Promise<void> {
    const { clock } = this.#hooks;
    const has = () => this.#links.all.length > 0 && this.#links.all.every((link) => link.arrived);
    while (!signal.aborted && !has()) await clock.sleep(arrivalPollMs, signal);
  }

  /** Takes no slot any more, and begins to drain what it has. */
  intendToLeave(reason: string): void {
    this.#situation.leaving ??= reason;
    this.#update();
  }

  /** Leaves traffic: drain until idle, or until its time is up, or `skip` aborts; then the pre-stop hook. */
  async leave(reason: string, times: LeaveTimes, skip: AbortSignal): Promise<void> {
    this.intendToLeave(reason);
    const { log, clock } = this.#hooks;
    const context = { log, clock, record: (event: TimelineEntry) => this.#record(event) };
    await drainAll(this.#links.all, times.drainUntil, skip, context);
    const { preStop } = this.#config.stop;
    const mayRun = !skip.aborted && clock.monotonic() < times.hookUntil;
    if (preStop !== undefined && mayRun) await runPreStop(preStop, times.hookUntil, skip, context);
  }

  /** Gives every slot back, says goodbye and stops all work; bounded, whatever HAProxy does. */
  async end(reason: string): Promise<void> {
    this.intendToLeave(reason);
    const { log, clock } = this.#hooks;
    const began = clock.monotonic();
    const late = new AbortController();
    const released = this.#links.end(reason).then(() => true);
    const inTime = await Promise.race([released, clock.sleep(releaseMs, late.signal).then(() => false)]);
    late.abort();
    const ms = Math.round(clock.monotonic() - began);
    if (!inTime) log.warn({ event: 'release.given-up', ms }, 'HAProxy did not take the slot back in time');
    await this.#heartbeat?.sayGoodbye(reason);
    this.#abort.abort();
  }

  /** Where the app is expected. */
  get target(): ProbeTarget {
    return this.#links.all[0]?.target ?? { address: localAddress(), port: this.#config.app.port };
  }

  #makeProber(settings: Config['startup'], what: 'startup' | 'liveness'): Prober | undefined {
    if (settings.kind.kind === 'off') return undefined;
    return new Prober(
      settings,
      () => this.target,
      this.#hooks.clock,
      (prober, attempt) => {
        const { verdict } = prober.state;
        if (verdict === 'failed') {
          this.#giveUp(what, attempt.ok ? '' : attempt.reason);
        } else if (what === 'startup' && verdict === 'ok' && !this.#situation.started) {
          this.#situation.started = true;
          this.#startup?.stop();
          void this.#live?.run(this.#abort.signal);
          this.#update();
        }
      },
    );
  }

  #giveUp(what: string, why: string): void {
    if (this.#gaveUp || this.#situation.leaving !== undefined) return;
    this.#gaveUp = true;
    const reason = `the ${what} probe failed: ${why}`;
    this.#hooks.log.error({ event: 'app.given-up', reason }, reason);
    this.note('app.given-up', reason);
    this.#hooks.onGiveUp(reason);
  }

  #makeHeartbeat(): Heartbeat | undefined {
    const { urls, token } = this.#config.coordinator;
    if (urls === undefined) return undefined;
    const { service } = this.#config.app;
    return new Heartbeat(
      { urls, token, hello: formatHello(this.#config, this.#identity), toldHoldsMs },
      {
        log: this.#hooks.log,
        clock: this.#hooks.clock,
        compose: () => ({
          phase: this.#phase,
          registrations: this.#links.all.map((link) => link.report()),
          metrics: this.#metrics.snapshot(),
          events: this.#timeline.take(),
          ...(service === undefined ? {} : { service }),
        }),
        onAttended: (attended) => {
          this.#links.attended = attended;
        },
        onTold: (reason) => {
          if (reason !== undefined) this.note('agent.told', reason);
          this.#situation.told = reason;
          this.#update();
        },
      },
    );
  }

  #record(event: TimelineEntry): void {
    this.#timeline.add(event);
    this.#heartbeat?.changed();
  }

  /** Computes what should be from the whole situation, and hands it on. */
  #update(): void {
    const links = this.#links.all;
    for (const link of links) link.apply(this.#situation);
    const readiness = links.map((link) => link.readiness);
    const phase = decidePhase(this.#situation, readiness);
    const answering = this.#situation.started && readiness.some((state) => state.verdict === 'ok');
    if (answering !== this.#answering) {
      this.#answering = answering;
      this.#hooks.onAnswering?.(answering);
      if (answering) this.#announce('app.ready', 'it answers');
      else this.#announce('app.unready', 'it does not answer');
    }
    this.#phase = phase;
    if (this.#heartbeat === undefined) return;
    // A probe that finds what the last one found is no news.
    const told = JSON.stringify([phase, links.map((link) => link.report())]);
    if (told === this.#told) return;
    this.#told = told;
    this.#heartbeat.changed();
  }

  #announce(event: string, reason: string): void {
    this.#hooks.log.info({ event }, `the app: ${reason}`);
    this.note(event, reason);
  }

  #status(): { answering: boolean; phase: Phase; slots: string[] } {
    const slots = this.#links.all.map((link) => {
      const { haproxy, backend, slot, state, error } = link.report();
      return slot === undefined
        ? `${haproxy}: ${error ?? 'no slot'}`
        : `${haproxy}: ${backend}/${slot} ${state}`;
    });
    return { answering: this.#answering, phase: this.#phase, slots };
  }
}

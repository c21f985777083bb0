// Tells the coordinator where the instance stands, and hears from it when to leave traffic. Nothing depends on it: with
// no coordinator, or one that comes and goes, the agent does its work alone.
//
//   for each address in turn:  connect ─► hello ─► welcome ─► heartbeats at the coordinator's pace, and at once on a change
//        ▲                                                       │ closed, or nothing heard for three beats
//        └── back-off with jitter, 0.5 to 15 s ◄─────────────────┘
//
// A container that is kept warm is paused, the agent with it. When it thaws, silence means nothing: an old session is given
// another beat to show that it lives, and where it does not (another coordinator by now) a new one is begun at once, since
// the instance is wanted in traffic now.
//
// What a coordinator told holds while it speaks, and for 30 s after: a coordinator that died in the middle of its plan
// takes nobody out of traffic for ever. One that returns tells it again within that time.
import type { Clock } from '../shared/clock.ts';
import type { Log } from '../shared/log.ts';
import type { Heartbeat as HeartbeatMessage, Hello } from '../shared/protocol.ts';
import { maxReasonLength } from '../shared/protocol-terms.ts';
import { Wakeup } from '../shared/wakeup.ts';
import type { Session } from './session.ts';

export interface HeartbeatSettings {
  urls: readonly string[];
  token: string | undefined;
  hello: Hello;
  /** How long what a coordinator told holds after its session. */
  toldHoldsMs: number;
}

export interface HeartbeatHooks {
  log: Log;
  clock: Clock;
  /** The content of the next heartbeat. */
  compose(): Omit<HeartbeatMessage, 'type' | 'seq'>;
  /** Whether a coordinator looks after this agent from now on. */
  onAttended(attended: boolean): void;
  /** The coordinator wants the instance out of traffic, or (undefined) not any more. */
  onTold(reason: string | undefined): void;
}

/** A coordinator that is back should know its agents before it judges who is silent (10 s, `adoptionMs`). */
const backOff = { firstMs: 500, mostMs: 3000 };
const leastSilenceMs = 3000;
/** A sleep that ends so much too late was a freeze. */
const frozenMs = 1000;
const goodbyeMs = 300;
/** Changes that come together go out together. */
const gatherMs = 10;

export class Heartbeat {
  readonly #settings: HeartbeatSettings;
  readonly #hooks: HeartbeatHooks;
  readonly #wakeup = new Wakeup();
  #session: Session | undefined;
  /** Aborts when the session has ended. */
  #over: AbortSignal | undefined;
  #paceMs: number | undefined;
  #seq = 0;
  /** What was told lapses unless this aborts. */
  #lapse: AbortController | undefined;
  #failure: string | undefined;
  /** When the sleep that goes on should end, by `performance.now()`. */
  #dueAt = Number.POSITIVE_INFINITY;
  #thawedAt = Number.NEGATIVE_INFINITY;
  /** The last session ended as the agent thawed. */
  #endedByThaw = false;

  constructor(settings: HeartbeatSettings, hooks: HeartbeatHooks) {
    this.#settings = settings;
    this.#hooks = hooks;
  }

  /** Something changed: the next heartbeat goes out at once. */
  changed(): void {
    if (this.#paceMs !== undefined) this.#wakeup.wake();
  }

  /** Keeps a session with one coordinator until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#hooks;
    const { Session } = await import('./session.ts');
    for (let turn = 0, failures = 0; !signal.aborted; turn += 1) {
      const url = this.#settings.urls[turn % this.#settings.urls.length] ?? '';
      const welcomed = await this.#keepSession(Session, url, signal);
      failures = welcomed ? 0 : failures + 1;
      // All addresses are tried once before the pause grows.
      const round = Math.floor(failures / this.#settings.urls.length);
      const pause = Math.min(backOff.firstMs * 2 ** round, backOff.mostMs);
      if (!this.#endedByThaw) await clock.sleep(pause * (0.5 + Math.random()), signal);
      this.#endedByThaw = false;
    }
    this.#lapse?.abort();
  }

  /** The last heartbeat and the goodbye; resolves when the coordinator has them, soon in any case. */
  async sayGoodbye(reason: string): Promise<void> {
    this.#lapse?.abort();
    if (this.#session === undefined || this.#paceMs === undefined) return;
    this.#beat(this.#session);
    this.#session.send({ type: 'goodbye', reason: reason.slice(0, maxReasonLength) });
    this.#session.close();
    await this.#hooks.clock.sleep(goodbyeMs, this.#over);
  }

  /** One session from its beginning to its end; whether it was welcomed. */
  async #keepSession(SessionType: typeof Session, url: string, signal: AbortSignal): Promise<boolean> {
    const { log, clock } = this.#hooks;
    const over = new AbortController();
    const shown = withoutCredentials(url);
    let welcomed = false;
    const session = new SessionType(url, this.#settings.token, this.#settings.hello, {
      onWelcome: (welcome) => {
        this.#paceMs = welcome.heartbeatMs;
        this.#wakeup.wake();
        if (welcomed) return;
        welcomed = true;
        const { coordinator, v } = welcome;
        log.info(
          { event: 'session.opened', coordinator, url: shown, v },
          `attended by coordinator ${coordinator}`,
        );
        this.#hooks.onAttended(true);
      },
      onDrain: ({ drain, reason }) => {
        this.#lapse?.abort();
        this.#hooks.onTold(drain ? reason : undefined);
      },
      onEnd: (reason) => {
        this.#endedByThaw = welcomed && this.#hasJustThawed();
        over.abort();
        this.#ended(shown, reason, welcomed);
      },
    });
    this.#session = session;
    this.#over = over.signal;
    // Not AbortSignal.any: what it makes of a signal that lives as long as the agent is never quite freed.
    const onAbort = () => over.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) over.abort();
    const done = over.signal;
    while (!done.aborted) {
      const paceMs = this.#paceMs;
      if (paceMs !== undefined) {
        if (performance.now() - session.heardAt > Math.max(3 * paceMs, leastSilenceMs)) {
          session.drop('nothing heard of the coordinator for three heartbeats');
          break;
        }
        this.#beat(session);
        session.ping();
        await this.#rest(session, gatherMs, (ms) => clock.sleep(ms, done));
      }
      const pauseMs = (paceMs ?? 60_000) * (0.9 + 0.2 * Math.random());
      await this.#rest(session, pauseMs, (ms) => this.#wakeup.sleep(clock, ms, done));
    }
    this.#dueAt = Number.POSITIVE_INFINITY;
    signal.removeEventListener('abort', onAbort);
    if (signal.aborted) session.drop('the agent ends');
    this.#session = undefined;
    return welcomed;
  }

  async #rest(session: Session, ms: number, sleep: (ms: number) => Promise<unknown>): Promise<void> {
    this.#dueAt = performance.now() + ms;
    await sleep(ms);
    if (!this.#isThawing()) return;
    this.#thawedAt = performance.now();
    session.heardAt = this.#thawedAt;
  }

  /** The news that a connection is dead may come before the sleep ends or some beats after. */
  #hasJustThawed(): boolean {
    const just = this.#isThawing() || performance.now() - this.#thawedAt < leastSilenceMs;
    this.#thawedAt = Number.NEGATIVE_INFINITY;
    return just;
  }

  #isThawing(): boolean {
    return performance.now() - this.#dueAt > frozenMs;
  }

  #beat(session: Session): void {
    if (!session.open) return;
    this.#seq += 1;
    session.send({ type: 'heartbeat', seq: this.#seq, ...this.#hooks.compose() });
  }

  #ended(url: string, reason: string, welcomed: boolean): void {
    const { log } = this.#hooks;
    this.#paceMs = undefined;
    if (!welcomed) {
      // Once for each reason: it is tried again for as long as the agent lives.
      const level = reason === this.#failure ? 'debug' : 'warn';
      this.#failure = reason;
      log[level]({ event: 'session.failed', url, reason }, `no session with the coordinator: ${reason}`);
      return;
    }
    this.#failure = undefined;
    log.info({ event: 'session.closed', url, reason }, `on its own again: ${reason}`);
    this.#hooks.onAttended(false);
    void this.#letLapse();
  }

  async #letLapse(): Promise<void> {
    this.#lapse?.abort();
    const lapse = new AbortController();
    this.#lapse = lapse;
    await this.#hooks.clock.sleep(this.#settings.toldHoldsMs, lapse.signal);
    if (!lapse.signal.aborted) this.#hooks.onTold(undefined);
  }
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/]*@/, '//');
}

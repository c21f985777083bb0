// The agent's place in one HAProxy: gets a slot, keeps it, drains it, gives it back. Level-triggered: `want` says what
// should be, each round looks at what is and does what is missing; HAProxy may come, go and forget in between.
//
//             want(ready)              want(drain)
//   (no slot) ──────────► claiming ──► ready ◄────► drain        any: not mine any more ──► (no slot)
//       ▲                                                        any: want(gone) ──► released, the loop ends
//       └── no free slot, HAProxy away: tried again with back-off
//
// A state that was changed by hand (drain or maintenance set by an operator) is left as it is and reported. It is put
// right when HAProxy has restarted since, because then no operator did it.
import { connect } from 'node:net';
import type { Clock } from '../shared/clock.ts';
import { BerthError, describeError, isBerthError } from '../shared/errors.ts';
import { claimSlot } from '../shared/haproxy/claim.ts';
import { type Command, commands, type ServerName, type WantedState } from '../shared/haproxy/commands.ts';
import { type Endpoint, formatHostPort } from '../shared/haproxy/endpoint.ts';
import { breakLock, parseRows, readCommands, staleLocks } from '../shared/haproxy/lock.ts';
import { clearForeign, releaseSlot } from '../shared/haproxy/release.ts';
import { createRuntimeApi, type RuntimeApi, type Transaction } from '../shared/haproxy/runtime-api.ts';
import {
  parseInfo,
  parseServersState,
  parseStat,
  type ServerRow,
  throwIfRefused,
} from '../shared/haproxy/servers-state.ts';
import { readSlotLook, type SlotLook } from '../shared/haproxy/slot-look.ts';
import type { SlotContext } from '../shared/haproxy/slot-write.ts';
import { type AppAddress, findTemplate, holds, type SlotTemplate } from '../shared/haproxy/slots.ts';
import type { Log } from '../shared/log.ts';
import type { AgentEvent, RegistrationReport } from '../shared/protocol.ts';
import { SlotMemory } from './slot-memory.ts';

export interface RegistrationSettings {
  endpoint: Endpoint;
  nodeCount: number;
  slotPrefix: string;
  backend: string | undefined;
  /** Port and address to register; the address is the local end of the connection to HAProxy unless it is given. */
  port: number;
  host: string | undefined;
  /** Stable for this container. */
  id: string;
  /** `haproxy`: out of traffic until HAProxy's own check has passed. */
  gate: 'app' | 'haproxy';
  /** Where the slot is remembered over a restart of the container. */
  stateFile: string | undefined;
}

export interface RegistrationHooks {
  log: Log;
  clock: Clock;
  /** The address, the slot or its state has changed. */
  onChange(): void;
  onEvent(event: AgentEvent): void;
  /** The Runtime API and the dice; the real ones unless a test gives others. */
  api?: RuntimeApi;
  random?: () => number;
}

/** `standby`: has a slot and is out of traffic, to come back at a word. `drain`: out of traffic on the way out; a slot
 * that is lost meanwhile is not claimed again. */
export type Wanted = 'out' | 'ready' | 'standby' | 'drain' | 'gone';

export interface DrainResult {
  outcome: 'idle' | 'deadline' | 'no-slot' | 'unreachable';
  ms: number;
  /** Sessions that were left. */
  sessions: number;
}

interface HeldSlot {
  name: ServerName;
  app: AppAddress;
  backendId: number;
  serverId: number;
  /** Process of HAProxy that the state was written to. */
  incarnation: string;
  /** The state that was written last. */
  written: WantedState;
  /** Set by an operator; left alone. */
  held: boolean;
}

const aloneMs = 1000;
const attendedMs = 10_000;
/** Lock rows of the dead and doubles of one's own are looked for this often; a coordinator does it all the time. */
const sweepMs = 20_000;
const drainPollMs = 20;
const gatePollMs = 50;
const retryMs = { first: 100, most: 1000 };

export class Registration {
  /** The address to register, known after the first contact with HAProxy. */
  address: string | undefined;
  readonly #settings: RegistrationSettings;
  readonly #hooks: RegistrationHooks;
  readonly #api: RuntimeApi;
  readonly #random: () => number;
  readonly #memory: SlotMemory;
  readonly #place = { side: false };
  #wanted: Wanted = 'out';
  #reason = 'the app has not answered yet';
  #held: HeldSlot | undefined;
  #template: SlotTemplate | undefined;
  #error: string | undefined;
  #tries = 0;
  #looked = false;
  #sweepAt = 0;
  #wake = new AbortController();
  #released = false;
  #attended = false;

  constructor(settings: RegistrationSettings, hooks: RegistrationHooks) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#api = hooks.api ?? createRuntimeApi(settings.endpoint);
    this.#random = hooks.random ?? Math.random;
    this.#memory = new SlotMemory(settings.stateFile, settings.endpoint.name);
    this.address = settings.host;
  }

  get name(): string {
    return this.#settings.endpoint.name;
  }

  /** Whether a coordinator looks after the slot too: then this looks rarely. */
  set attended(attended: boolean) {
    if (this.#attended && !attended) this.#wake.abort();
    this.#attended = attended;
  }

  /** Says what should be from now on; a round begins at once. */
  want(wanted: Wanted, reason: string): void {
    if (this.#wanted === wanted || this.#wanted === 'gone') return;
    this.#wanted = wanted;
    this.#reason = reason;
    this.#tries = 0;
    this.#wake.abort();
  }

  /** What this registration has, for the heartbeat. */
  report(): RegistrationReport {
    const held = this.#held;
    return {
      haproxy: this.name,
      port: this.#settings.port,
      state: held === undefined ? 'none' : held.written,
      ...(this.address === undefined ? {} : { address: this.address }),
      ...(held === undefined ? {} : { backend: held.name.backend, slot: held.name.name }),
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }

  /** Rounds until released or aborted. Never rejects: HAProxy's faults are reported and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#released) {
      this.#wake = new AbortController();
      const pause = await this.#tryRound(signal);
      await this.#hooks.clock.sleep(pause, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  /**
   * Puts the slot into drain and waits until HAProxy counts no session, no queued request and no connection on it.
   * Counts twice: a request that was just given to the slot may not be counted yet.
   */
  async drained(deadlineMs: number, signal: AbortSignal): Promise<DrainResult> {
    const { clock } = this.#hooks;
    const started = clock.monotonic();
    this.want('drain', 'stopping');
    let outcome: DrainResult['outcome'] = 'deadline';
    let sessions = 0;
    let idle = 0;
    while (clock.monotonic() - started < deadlineMs && !signal.aborted) {
      const held = this.#held;
      if (held === undefined) return { outcome: 'no-slot', ms: clock.monotonic() - started, sessions: 0 };
      try {
        const look = await this.#look(held, signal);
        if (!look.mine) return { outcome: 'no-slot', ms: clock.monotonic() - started, sessions: 0 };
        outcome = 'deadline';
        sessions = look.sessions;
        if (look.serving || held.written === 'ready') await this.#write(held, 'drain', signal);
        else idle = look.sessions === 0 ? idle + 1 : 0;
        if (idle >= 2) return { outcome: 'idle', ms: clock.monotonic() - started, sessions: 0 };
      } catch (error) {
        if (signal.aborted) break;
        outcome = 'unreachable';
        this.#hooks.log.warn(
          { event: 'drain.unseen', haproxy: this.name, error: describeError(error) },
          'sessions cannot be read',
        );
      }
      await clock.sleep(drainPollMs, signal);
    }
    return { outcome, ms: clock.monotonic() - started, sessions };
  }

  /** One round; returns how long to wait for the next. */
  async #tryRound(signal: AbortSignal): Promise<number> {
    try {
      const pause = await this.#round(signal);
      this.#tries = 0;
      this.#setError(undefined);
      return pause;
    } catch (error) {
      if (signal.aborted) return 0;
      this.#setError(error);
      // The 101st of 100 waits for a slot that is freed: it looks often, a look is cheap.
      const most = isBerthError(error, 'slot.none-free') ? 500 : retryMs.most;
      const backOff = Math.min(retryMs.first * 2 ** this.#tries, most);
      this.#tries = Math.min(this.#tries + 1, 10);
      return backOff * (0.5 + this.#random());
    }
  }

  async #round(signal: AbortSignal): Promise<number> {
    if (this.#wanted === 'gone') {
      await this.#leave(signal);
      return 0;
    }
    if (!this.#looked) await this.#arrive(signal);
    const held = this.#held;
    if (held === undefined) {
      if (this.#wanted !== 'ready' && this.#wanted !== 'standby') return this.#idlePause();
      await this.#claim(signal);
      return gatePollMs;
    }
    return this.#keep(held, signal);
  }

  /** First contact: my address, the template, and what I or my address left behind. */
  async #arrive(signal: AbortSignal): Promise<void> {
    const { app, rows } = await this.#survey(signal);
    const template = this.#template;
    if (template === undefined) return;
    for (const slot of await clearForeign(this.#context(signal), rows, template, app)) {
      this.#event(
        'slot.released',
        slot,
        `${app.address} was given to this container; it belonged to another before`,
      );
    }
    const old = this.#memory.load();
    if (old !== undefined && old.address !== app.address && old.backend === template.backend) {
      await this.#releaseOld(
        { address: old.address, port: old.port },
        { backend: old.backend, name: old.slot },
        signal,
      );
    }
    this.#looked = true;
  }

  /** Reads all rows and finds the address and the template again. */
  async #survey(signal: AbortSignal): Promise<{ app: AppAddress; rows: readonly ServerRow[] }> {
    const { nodeCount, slotPrefix, backend } = this.#settings;
    const transaction = await this.#api.transact([commands.showServersState()], signal);
    const app = this.#locate(transaction);
    const [reply] = transaction.replies;
    const rows = reply === undefined ? [] : parseServersState(reply);
    this.#template = findTemplate(rows, { backend, prefix: slotPrefix, count: nodeCount });
    return { app, rows };
  }

  #locate(transaction: Transaction): AppAddress {
    const address = this.#settings.host ?? transaction.localAddress;
    if (address === undefined) {
      throw new BerthError(
        'config.invalid',
        `${this.name} is a socket, which does not tell this container's address`,
        {
          hint: 'set BERTH_APP_HOST',
        },
      );
    }
    if (address !== this.address) {
      this.address = address;
      this.#hooks.onChange();
    }
    return { address, port: this.#settings.port };
  }

  /** A container that was restarted with another address: its old slot is its own to give back, unless somebody
   * answers at the old address by now. */
  async #releaseOld(app: AppAddress, slot: ServerName, signal: AbortSignal): Promise<void> {
    if (await answers(app, 500)) return;
    if (await releaseSlot(this.#context(signal), slot, app)) {
      this.#event(
        'slot.released',
        slot,
        `this container had ${formatHostPort(app.address, app.port)} before it was restarted`,
      );
    }
  }

  async #claim(signal: AbortSignal): Promise<void> {
    const { app } = await this.#survey(signal);
    const template = this.#template;
    if (template === undefined) return;
    const { gate, id } = this.#settings;
    const state = gate === 'haproxy' || this.#wanted === 'standby' ? 'drain' : 'ready';
    const preferred = this.#memory.load()?.slot;
    const { slot, adopted } = await claimSlot(this.#context(signal), template, app, { id, preferred, state });
    const held = await this.#identify(slot, app, state, signal);
    this.#held = held;
    this.#memory.save({ backend: slot.backend, slot: slot.name, address: app.address, port: app.port });
    this.#event(
      adopted ? 'slot.adopted' : 'slot.claimed',
      slot,
      adopted ? 'it held this address already' : this.#reason,
    );
    if (state === 'ready') this.#event('slot.ready', slot, this.#reason);
    this.#hooks.onChange();
  }

  async #identify(
    slot: ServerName,
    app: AppAddress,
    written: WantedState,
    signal: AbortSignal,
  ): Promise<HeldSlot> {
    const { replies } = await this.#api.transact(
      [commands.showInfo(), commands.showServersState(slot.backend)],
      signal,
    );
    const [info, state] = replies;
    const rows = state === undefined ? [] : parseServersState(state);
    const row = rows.find((each) => each.name === slot.name);
    if (row === undefined || info === undefined)
      throw new BerthError('slot.lost-race', `${slot.backend}/${slot.name} is gone`);
    const { backendId, serverId } = row;
    return {
      name: slot,
      app,
      backendId,
      serverId,
      incarnation: incarnationOf(parseInfo(info)),
      written,
      held: false,
    };
  }

  /** Looks at the slot and mends what is not as wanted. */
  async #keep(held: HeldSlot, signal: AbortSignal): Promise<number> {
    const transaction = await this.#read([commands.showServerStat(held.backendId, held.serverId)], signal);
    const app = this.#locate(transaction);
    const look = this.#interpret(held, transaction);
    if (!look.mine) {
      await this.#lost(held, look, signal);
      return 0;
    }
    if (app.address !== held.app.address) {
      // Another network: what HAProxy has is an address that this container no longer has.
      this.#event('slot.released', held.name, `this container's address is ${app.address} now`);
      this.#held = undefined;
      await releaseSlot(this.#context(signal), held.name, held.app);
      return 0;
    }
    if (this.#wanted === 'drain' || this.#wanted === 'standby') {
      if (held.written === 'ready' || look.serving) await this.#write(held, 'drain', signal);
      return this.#idlePause();
    }
    if (held.written !== 'ready') {
      const gated = this.#settings.gate === 'haproxy' && look.check === 'failed';
      if (gated) return gatePollMs;
      // A slot that HAProxy found down stays down through `ready` until its checks have passed again, a beat of theirs
      // or two; from maintenance it is up at once. The app has just answered its agent.
      if (!look.serving && !look.draining) await this.#write(held, 'maint', signal);
      await this.#write(held, 'ready', signal);
      return this.#idlePause();
    }
    await this.#respectOperator(held, look, signal);
    await this.#sweep(held, signal);
    return this.#idlePause();
  }

  /** Removes what the dead left behind in this backend: lock rows that nobody else may ever want, and slots with my
   * address beside the one that I have. */
  async #sweep(held: HeldSlot, signal: AbortSignal): Promise<void> {
    const now = this.#hooks.clock.monotonic();
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + sweepMs * (1 + this.#random());
    const { replies } = await this.#read(readCommands(held.name.backend, this.#place.side), signal);
    const rows = parseRows(replies);
    for (const lock of staleLocks(rows)) {
      if (await breakLock(this.#api, lock, () => this.#hooks.clock.monotonic(), signal)) {
        this.#event('lock.broken', lock, `its holder died ${lock.secondsSinceChange} s ago`);
      }
    }
    const doubles = rows.filter(
      (row) =>
        holds(row, held.app) && row.name !== held.name.name && row.name.startsWith(this.#settings.slotPrefix),
    );
    for (const row of doubles) {
      if (await releaseSlot(this.#context(signal), row, held.app))
        this.#event('slot.released', row, `${held.name.name} is this app's slot`);
    }
  }

  async #lost(held: HeldSlot, look: SlotLook, signal: AbortSignal): Promise<void> {
    this.#event(
      'slot.lost',
      held.name,
      look.misdirected ? 'HAProxy restarted and forgot the address' : 'it holds another address now',
    );
    this.#held = undefined;
    this.#hooks.onChange();
    // Ready with a placeholder sends HAProxy's requests to itself; out with it before anything else.
    if (look.misdirected) await this.#api.transact([commands.setState(held.name, 'maint')], signal);
  }

  async #respectOperator(held: HeldSlot, look: SlotLook, signal: AbortSignal): Promise<void> {
    const changed = look.inMaintenance || look.draining;
    if (!changed) {
      if (held.held) this.#event('slot.ready', held.name, 'the operator gave it back');
      held.held = false;
      return;
    }
    const { replies } = await this.#api.transact([commands.showInfo()], signal);
    const incarnation = replies[0] === undefined ? held.incarnation : incarnationOf(parseInfo(replies[0]));
    if (incarnation !== held.incarnation) {
      held.incarnation = incarnation;
      await this.#write(held, 'ready', signal);
    } else if (!held.held) {
      held.held = true;
      this.#event(
        'slot.held',
        held.name,
        `an operator set it to ${look.inMaintenance ? 'maintenance' : 'drain'}`,
      );
    }
  }

  async #look(held: HeldSlot, signal: AbortSignal): Promise<SlotLook> {
    return this.#interpret(
      held,
      await this.#read([commands.showServerStat(held.backendId, held.serverId)], signal),
    );
  }

  #read(batch: readonly Command[], signal: AbortSignal): Promise<Transaction> {
    return this.#api.transact(batch, signal);
  }

  #interpret(held: HeldSlot, transaction: Transaction): SlotLook {
    const [reply] = transaction.replies;
    const row = reply === undefined ? undefined : parseStat(reply)[0];
    return readSlotLook(row, held.name, held.app);
  }

  async #write(held: HeldSlot, state: WantedState, signal: AbortSignal): Promise<void> {
    const { replies } = await this.#api.transact([commands.setState(held.name, state)], signal);
    if (replies[0] !== undefined)
      throwIfRefused(replies[0], `set server ${held.name.backend}/${held.name.name} state ${state}`);
    const changed = held.written !== state;
    held.written = state;
    held.held = false;
    if (changed && state !== 'maint') {
      this.#event(state === 'ready' ? 'slot.ready' : 'slot.draining', held.name, this.#reason);
      this.#hooks.onChange();
    }
  }

  /** Gives the slot back; also one that was claimed by a round that did not live to hear of it. */
  async #leave(signal: AbortSignal): Promise<void> {
    const held = this.#held;
    const app =
      held?.app ??
      (this.address === undefined ? undefined : { address: this.address, port: this.#settings.port });
    const template = this.#template;
    if (app !== undefined && template !== undefined) {
      const { replies } = await this.#api.transact([commands.showServersState(template.backend)], signal);
      const rows = replies[0] === undefined ? [] : parseServersState(replies[0]);
      const mine = rows.filter(
        (row) => row.address === app.address && row.port === app.port && row.name.startsWith(template.prefix),
      );
      // Out of traffic first, at once: the lock that the address needs may take a moment.
      if (mine.length > 0)
        await this.#api.transact(
          mine.map((row) => commands.setState(row, 'maint')),
          signal,
        );
      for (const row of mine) {
        if (await releaseSlot(this.#context(signal), row, app))
          this.#event('slot.released', row, this.#reason);
      }
    }
    this.#held = undefined;
    this.#released = true;
    this.#hooks.onChange();
  }

  #idlePause(): number {
    return (this.#attended ? attendedMs : aloneMs) * (1 + this.#random());
  }

  #context(signal: AbortSignal): SlotContext {
    return { api: this.#api, place: this.#place, clock: this.#hooks.clock, random: this.#random, signal };
  }

  #event(event: string, slot: ServerName, reason: string): void {
    const fields = { event, haproxy: this.name, backend: slot.backend, slot: slot.name, reason };
    this.#hooks.log.info(fields, `${event.replace('.', ' ')}: ${slot.backend}/${slot.name} on ${this.name}`);
    this.#hooks.onEvent({ ...fields, ageMs: 0 });
  }

  #setError(error: unknown): void {
    const text = error === undefined ? undefined : describeError(error);
    if (text === this.#error) return;
    this.#error = text;
    if (text !== undefined) {
      const code = isBerthError(error) ? error.code : 'haproxy.unreachable';
      this.#hooks.log.warn({ event: 'registration.failed', haproxy: this.name, code, error: text }, text);
    }
    this.#hooks.onChange();
  }
}

const incarnationOf = (info: { pid: number; startTime: number }): string => `${info.pid}/${info.startTime}`;

/** True when something accepts a TCP connection at `app`. */
function answers(app: AppAddress, deadlineMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: app.address, port: app.port, timeout: deadlineMs });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => finish(true));
    socket.once('timeout', () => finish(false));
    socket.once('error', () => finish(false));
  });
}

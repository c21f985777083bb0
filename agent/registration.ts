// The agent's place in one HAProxy: gets a slot (way-in.ts), keeps it, drains it, gives it back. Level-triggered: `want` says what
// should be, each round looks at what is and does what is missing; HAProxy may come, go and forget in between.
//
//             want(ready)              want(drain)
//   (no slot) ──────────► claiming ──► ready ◄────► drain        any: not mine any more ──► (no slot)
//       ▲                                                        any: want(gone) ──► released, the loop ends
//       └── no free slot, HAProxy away: tried again with back-off
//
// A state that was changed by hand (drain or maintenance set by an operator) is left as it is and reported. It is put
// right when HAProxy has restarted since, because then no operator did it.
import type { Clock } from '../shared/clock.ts';
import { BerthError, describeError, isBerthError } from '../shared/errors.ts';
import { plainAddress } from '../shared/haproxy/address.ts';
import { commands, type ServerName, type WantedState } from '../shared/haproxy/commands.ts';
import type { Endpoint } from '../shared/haproxy/endpoint.ts';
import { isLastInTraffic } from '../shared/haproxy/last-in-traffic.ts';
import { releaseSlot } from '../shared/haproxy/release.ts';
import { createRuntimeApi, type RuntimeApi } from '../shared/haproxy/runtime-api.ts';
import { parseServersState, type ServerRow } from '../shared/haproxy/servers-state.ts';
import type { SlotLook } from '../shared/haproxy/slot-look.ts';
import type { SlotContext } from '../shared/haproxy/slot-write.ts';
import {
  type AppAddress,
  holds,
  isEnabled,
  isInMaintenance,
  type Slots,
  slotsOf,
} from '../shared/haproxy/slots.ts';
import type { Log } from '../shared/log.ts';
import type { AgentEvent, RegistrationReport } from '../shared/protocol.ts';
import { maxReasonLength } from '../shared/protocol-terms.ts';
import { Wakeup } from '../shared/wakeup.ts';
import { type DrainLook, type DrainResult, drainUntilIdle } from './drain-until-idle.ts';
import { GateWait } from './gate-wait.ts';
import { giveBack, mute, slotsAt } from './give-back.ts';
import { HeldSlot } from './held-slot.ts';
import { answers, formerSlot, putInOrder, sweep } from './leftovers.ts';
import { SlotMemory } from './slot-memory.ts';
import { Sweeps } from './sweeps.ts';
import { loadWayIn, type WayIn, type WayInSettings } from './way-in.ts';

export interface RegistrationSettings extends WayInSettings {
  endpoint: Endpoint;
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

/**
 * `standby`: has a slot and is out of traffic, to come back at a word. `unready`: out of traffic unless it is the last of
 * several. `drain`: out of traffic on the way out. A slot that is lost in one of these two is not claimed again.
 */
export type Wanted = 'out' | 'ready' | 'standby' | 'unready' | 'drain' | 'gone';

const aloneMs = 1000;
const attendedMs = 10_000;
/** Right after a claim. */
const firstLookMs = 50;
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
  readonly #sweeps: Sweeps;
  #wanted: Wanted = 'out';
  #reason = 'the app has not answered yet';
  #held: HeldSlot | undefined;
  readonly #gate = new GateWait();
  /** It was told that it stays in traffic although its probe fails. */
  #kept = false;
  #claiming = false;
  #way: WayIn | undefined;
  #slots: Slots | undefined;
  #error: string | undefined;
  #tries = 0;
  #looked = false;
  readonly #wake = new Wakeup();
  #released = false;
  #attended = false;

  constructor(settings: RegistrationSettings, hooks: RegistrationHooks) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#api = hooks.api ?? createRuntimeApi(settings.endpoint);
    this.#random = hooks.random ?? Math.random;
    this.#sweeps = new Sweeps(hooks.clock, this.#random);
    this.#memory = new SlotMemory(settings.stateFile, settings.endpoint.name);
    this.address = settings.host === undefined ? undefined : plainAddress(settings.host);
  }

  get name(): string {
    return this.#settings.endpoint.name;
  }

  /** Whether it knows what HAProxy has of this app. */
  get looked(): boolean {
    return this.#looked;
  }

  /** Whether a coordinator looks after the slot too: then this looks rarely. */
  set attended(attended: boolean) {
    if (this.#attended && !attended) this.#wake.wake();
    this.#attended = attended;
  }

  /** Says what should be from now on; a round begins at once. */
  want(wanted: Wanted, reason: string): void {
    if (this.#wanted === wanted || this.#wanted === 'gone') return;
    this.#wanted = wanted;
    this.#kept = false;
    this.#gate.reset();
    this.#reason = reason;
    this.#tries = 0;
    this.#sweeps.interrupt();
    this.#wake.wake();
  }

  /** What this registration has, for the heartbeat. */
  report(): RegistrationReport {
    const held = this.#held;
    const { parameters } = this.#settings;
    // In dynamic mode also before there is a slot: no coordinator, however old, then thinks of another backend.
    const meant = parameters === undefined ? undefined : (this.#slots?.backend ?? this.#settings.backend);
    const backend = held?.name.backend ?? meant;
    return {
      haproxy: this.name,
      port: this.#settings.port,
      state: held === undefined ? 'none' : held.written,
      ...(this.address === undefined ? {} : { address: this.address }),
      ...(backend === undefined ? {} : { backend }),
      ...(held === undefined ? {} : { slot: held.name.name }),
      ...(this.#error === undefined ? {} : { error: this.#error.slice(0, maxReasonLength) }),
      ...(parameters === undefined ? {} : { dynamic: parameters }),
    };
  }

  /** Rounds until released or aborted. Never rejects: HAProxy's faults are reported and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#sweeps.interrupt(), { once: true });
    while (!signal.aborted && !this.#released) {
      const pause = await this.#tryRound(signal);
      await this.#wake.sleep(this.#hooks.clock, pause, signal);
    }
  }

  /** Puts the slot into drain and waits until nothing uses it any more. */
  async drained(deadlineMs: number, signal: AbortSignal): Promise<DrainResult> {
    this.want('drain', 'stopping');
    const { clock, log } = this.#hooks;
    const onUnseen = (error: string) => {
      log.warn({ event: 'drain.unseen', haproxy: this.name, error }, 'sessions cannot be read');
      return this.#held !== undefined;
    };
    return drainUntilIdle({ clock, look: (each) => this.#drainLook(each), onUnseen }, deadlineMs, signal);
  }

  async #drainLook(signal: AbortSignal): Promise<DrainLook> {
    const held = this.#held;
    const look = (await held?.look(signal))?.look;
    // A claim that is under way would put a slot into traffic after all, and a coordinator may have given another.
    if (held === undefined || look?.mine !== true)
      return this.#claiming || (await this.#findAgain(signal)) ? 'again' : 'none';
    if (!held.needsDrain(look)) return { sessions: look.sessions };
    await this.#write(held, 'drain', signal);
    return 'again';
  }

  /** Holds whatever slot has this app's address by now. Returns whether there is one. */
  async #findAgain(signal: AbortSignal): Promise<boolean> {
    const rows = await this.#mine(signal);
    const row = rows.find(isEnabled) ?? rows[0];
    const app = this.#app;
    if (row === undefined || app === undefined) {
      this.#held = undefined;
      return false;
    }
    this.#held = await HeldSlot.find(this.#api, row, app, isEnabled(row) ? 'ready' : 'drain', signal);
    return true;
  }

  get #app(): AppAddress | undefined {
    return this.address === undefined ? undefined : { address: this.address, port: this.#settings.port };
  }

  /**
   * The slots with this app's address, also above NODE_COUNT, which a coordinator may have given. Before the first
   * contact those of all backends: the agent may have been restarted, or the address may have been another's.
   */
  async #mine(signal: AbortSignal): Promise<ServerRow[]> {
    const slots = this.#slots;
    const app = this.#held?.app ?? this.#app;
    if (!this.#looked || slots === undefined || app === undefined) {
      const seen = await this.#readAll(signal);
      return slotsAt(seen.rows, seen.app);
    }
    const { replies } = await this.#api.transact([commands.showServersState(slots.backend)], signal);
    const rows = replies.flatMap((reply) => parseServersState(reply));
    const all = 'dynamic' in slots ? slots : { ...slots, count: Number.POSITIVE_INFINITY };
    return slotsOf(rows, all).filter((row) => holds(row, app));
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
    if (held !== undefined) return this.#keep(held, signal);
    if (this.#wanted !== 'ready' && this.#wanted !== 'standby') return this.#idlePause();
    this.#claiming = true;
    try {
      await this.#claim(signal);
    } finally {
      this.#claiming = false;
    }
    return firstLookMs;
  }

  /** First contact: my address, the slots, and what I or my address left behind. */
  async #arrive(signal: AbortSignal): Promise<void> {
    const { app, slots, rows } = await this.#survey(signal);
    const before = this.#memory.load();
    const tell = this.#event.bind(this);
    await putInOrder({ context: this.#context(signal), rows, slots, app, before, signal, tell });
    this.#looked = true;
  }

  /** Reads all rows and finds the address and the slots again. */
  async #survey(
    signal: AbortSignal,
  ): Promise<{ app: AppAddress; way: WayIn; slots: Slots; rows: readonly ServerRow[] }> {
    this.#way ??= await loadWayIn(this.#settings);
    const { app, rows } = await this.#readAll(signal);
    const slots = await this.#way.find(this.#api, rows, signal);
    this.#slots = slots;
    return { app, way: this.#way, slots, rows };
  }

  async #readAll(signal: AbortSignal): Promise<{ app: AppAddress; rows: readonly ServerRow[] }> {
    const { replies, localAddress } = await this.#api.transact([commands.showServersState()], signal);
    return { app: this.#locate(localAddress), rows: replies.flatMap((reply) => parseServersState(reply)) };
  }

  #locate(localAddress: string | undefined): AppAddress {
    const { host, port } = this.#settings;
    const address = host === undefined ? localAddress : plainAddress(host);
    if (address === undefined) {
      const message = `${this.name} is a socket, which does not tell this container's address`;
      throw new BerthError('config.invalid', message, { hint: 'set BERTH_APP_HOST' });
    }
    if (address !== this.address) {
      this.address = address;
      this.#hooks.onChange();
    }
    return { address, port };
  }

  async #claim(signal: AbortSignal): Promise<void> {
    const { app, way, slots } = await this.#survey(signal);
    const { gate, id } = this.#settings;
    const state = gate === 'haproxy' || this.#wanted === 'standby' ? 'drain' : 'ready';
    const preferred = this.#memory.load()?.slot;
    const context = this.#context(signal);
    const { slot, adopted } = await way.claim(context, slots, app, { id, preferred, state });
    // Remembered first: an agent that is killed from here on gives the slot back when it comes again.
    this.#memory.save({ backend: slot.backend, slot: slot.name, address: app.address, port: app.port });
    this.#held = await HeldSlot.find(this.#api, slot, app, state, signal);
    const reason = adopted ? 'it held this address already' : this.#reason;
    this.#event(adopted ? 'slot.adopted' : 'slot.claimed', slot, reason);
    if (state === 'ready') this.#event('slot.ready', slot, this.#reason);
    this.#hooks.onChange();
  }

  /** Looks at the slot and mends what is not as wanted. */
  async #keep(held: HeldSlot, signal: AbortSignal): Promise<number> {
    const { look, localAddress } = await held.look(signal);
    const app = this.#locate(localAddress);
    if (!look.mine) {
      if (look.at !== undefined || !(await this.#isUnderNewId(held, signal)))
        await this.#lost(held, look, signal);
      return 0;
    }
    if (app.address !== held.app.address) {
      // Another network: what HAProxy has is an address that this container no longer has.
      this.#event('slot.released', held.name, `this container's address is ${app.address} now`);
      this.#held = undefined;
      this.#looked = false;
      await releaseSlot(this.#context(signal), held.name, held.app);
      return 0;
    }
    if (this.#wanted === 'unready') {
      await this.#keepUnready(held, look, signal);
      return aloneMs * (1 + this.#random());
    }
    if (this.#wanted !== 'ready') {
      if (held.needsDrain(look)) await this.#write(held, 'drain', signal);
    } else if (held.written === 'drain' && !look.inMaintenance) {
      // The gate: HAProxy's own check must have passed.
      if (this.#settings.gate === 'haproxy' && look.check === 'failed') return this.#waitAtGate(held, look);
      this.#gate.reset();
      // The app has just answered its agent, whatever HAProxy's checks found while it was paused or away.
      await this.#write(held, 'ready', signal, !look.serving && !look.draining);
    } else {
      await this.#respectOperator(held, look, signal);
      if (this.#slots !== undefined && !signal.aborted) await this.#sweepNow(held, this.#slots);
    }
    return this.#idlePause();
  }

  #waitAtGate(held: HeldSlot, look: SlotLook): number {
    const { pauseMs, longMs } = this.#gate.wait(this.#hooks.clock.monotonic());
    if (longMs === undefined) return pauseMs;
    const last = look.checkStatus === '' ? '' : `; its last check: ${look.checkStatus}`;
    const reason = `BERTH_GATE=haproxy: HAProxy's own check has not passed for ${Math.round(longMs / 1000)} s${last}`;
    this.#event('slot.gated', held.name, reason);
    return pauseMs;
  }

  /** Out of traffic, or the one that stays when all of them fail their probes. */
  async #keepUnready(held: HeldSlot, look: SlotLook, signal: AbortSignal): Promise<void> {
    const isLast = async () => {
      const { replies } = await this.#api.transact([commands.showServersState(held.name.backend)], signal);
      return replies.some((reply) => isLastInTraffic(parseServersState(reply), held.name));
    };
    // HAProxy does one after the other: of those that leave at the same moment the last one sees that it is.
    const mayLeave = held.needsDrain(look) && !(await isLast());
    if (mayLeave) await this.#write(held, 'drain', signal);
    const isOut = mayLeave || (held.written === 'drain' && look.draining);
    if (isOut && (this.#held !== held || !(await isLast()))) return;
    if (isOut) await this.#write(held, 'ready', signal);
    else if (look.draining || look.inMaintenance || this.#kept) return;
    this.#kept = true;
    this.#event('slot.kept', held.name, `${this.#reason}, and no other instance is in traffic`);
  }

  /**
   * Another row has its id, or none has: a server that a coordinator has added again after a restart has a new id. One in
   * maintenance is half made, by a coordinator that has died.
   */
  async #isUnderNewId(held: HeldSlot, signal: AbortSignal): Promise<boolean> {
    const [row] = await this.#mine(signal);
    if (row === undefined || isInMaintenance(row)) return false;
    this.#held = await HeldSlot.find(this.#api, row, held.app, held.written, signal);
    return true;
  }

  #sweepNow(held: HeldSlot, slots: Slots): Promise<void> {
    return this.#sweeps.sweep(async (signal) => {
      const context = this.#context(signal);
      const tell = this.#event.bind(this);
      await sweep(context, slots, held.name, held.app, tell);
      return (await this.#way?.sweep(context, held.name, this.#attended, tell)) === true;
    });
  }

  async #lost(held: HeldSlot, look: SlotLook, signal: AbortSignal): Promise<void> {
    const forgot = look.misdirected || look.inMaintenance || look.at === undefined;
    const reason = forgot ? "HAProxy has forgotten this app's address" : 'it holds another address now';
    this.#event('slot.lost', held.name, reason);
    this.#held = undefined;
    this.#hooks.onChange();
    if (!look.misdirected || look.at === undefined) return;
    // Ready with a placeholder sends HAProxy's requests to itself; out with it before anything else.
    await mute(this.#api, [held.name], signal);
    await releaseSlot(this.#context(signal), held.name, look.at);
  }

  async #respectOperator(held: HeldSlot, look: SlotLook, signal: AbortSignal): Promise<void> {
    if (!look.inMaintenance && !look.draining) {
      if (held.held) this.#event('slot.ready', held.name, 'the operator gave it back');
      held.held = false;
    } else if (await held.isRestarted(signal)) {
      await this.#write(held, this.#settings.gate === 'haproxy' ? 'drain' : 'ready', signal);
    } else if (!held.held) {
      held.held = true;
      const state = look.inMaintenance ? 'maintenance' : 'drain';
      this.#event('slot.held', held.name, `an operator set it to ${state}`);
    }
  }

  async #write(held: HeldSlot, state: WantedState, signal: AbortSignal, afresh = false): Promise<void> {
    const { look, changed } = await held.write(state, signal, afresh);
    // Given to another one between the look and the write: the next round sees what it is now.
    if (!look.mine) return this.#lost(held, look, signal);
    if (!changed) return;
    this.#event(state === 'ready' ? 'slot.ready' : 'slot.draining', held.name, this.#reason);
    this.#hooks.onChange();
  }

  /** Gives the slot back; also one that was claimed by a round that did not live to hear of it. */
  async #leave(signal: AbortSignal): Promise<void> {
    if (this.#looked) await this.#giveBack(await this.#mine(signal), signal);
    else await this.#leaveUnseen(signal);
    this.#held = undefined;
    this.#released = true;
    this.#hooks.onChange();
  }

  /** It never came to look: what has its address, and the slot that it had before. Looks once, a HAProxy that is away has forgotten it. */
  async #leaveUnseen(signal: AbortSignal): Promise<void> {
    const seen = await this.#readAll(signal).catch((error: unknown) => {
      const fields = { event: 'address.unchecked', haproxy: this.name, error: describeError(error) };
      this.#hooks.log.debug(fields, 'not asked whether this address stands in a slot');
    });
    if (seen === undefined) return;
    await this.#giveBack(slotsAt(seen.rows, seen.app), signal);
    const former = formerSlot(seen.rows, this.#memory.load(), seen.app);
    if (former !== undefined && !(await answers(former, signal))) await this.#giveBack([former], signal);
  }

  async #giveBack(rows: readonly ServerRow[], signal: AbortSignal): Promise<void> {
    await giveBack(this.#context(signal), this.#slots?.backend, rows, (slot) =>
      this.#event('slot.released', slot, this.#reason),
    );
  }

  #idlePause(): number {
    return (this.#attended ? attendedMs : aloneMs) * (1 + this.#random());
  }

  #context(signal: AbortSignal): SlotContext & { signal: AbortSignal } {
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

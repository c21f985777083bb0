// The slot that a registration holds: cheap looks at its row, and states written with a look right after.
import { BerthError } from '../shared/errors.ts';
import { commands, type ServerName, type WantedState } from '../shared/haproxy/commands.ts';
import type { Reply } from '../shared/haproxy/reply-reader.ts';
import type { RuntimeApi } from '../shared/haproxy/runtime-api.ts';
import {
  parseInfo,
  parseServersState,
  parseStat,
  type ServerRow,
  throwUnlessDone,
} from '../shared/haproxy/servers-state.ts';
import { readSlotLook, type SlotLook } from '../shared/haproxy/slot-look.ts';
import { type AppAddress, holds } from '../shared/haproxy/slots.ts';

export class HeldSlot {
  readonly name: ServerName;
  readonly app: AppAddress;
  /** The state that was written last. */
  written: WantedState;
  /** Set by an operator; left alone. */
  held = false;
  readonly #api: RuntimeApi;
  readonly #row: ServerRow;
  #process: string;

  private constructor(
    api: RuntimeApi,
    row: ServerRow,
    app: AppAddress,
    written: WantedState,
    process: string,
  ) {
    this.#api = api;
    this.#row = row;
    this.name = { backend: row.backend, name: row.name };
    this.app = app;
    this.written = written;
    this.#process = process;
  }

  /** Finds the row of a slot that was just claimed. @throws BerthError `slot.lost-race` when it is not the app's any more */
  static async find(
    api: RuntimeApi,
    slot: ServerName,
    app: AppAddress,
    written: WantedState,
    signal: AbortSignal,
  ): Promise<HeldSlot> {
    const { replies } = await api.transact(
      [commands.showInfo(), commands.showServersState(slot.backend)],
      signal,
    );
    const [info, state] = replies;
    const rows = state === undefined ? [] : parseServersState(state);
    const row = rows.find((each) => each.name === slot.name && holds(each, app));
    if (row === undefined || info === undefined)
      throw new BerthError('slot.lost-race', `${slot.backend}/${slot.name} was taken away at once`);
    return new HeldSlot(api, row, app, written, processOf(info));
  }

  /** `localAddress` is this end of the connection: the address on which HAProxy reaches this container now. */
  async look(signal: AbortSignal): Promise<{ look: SlotLook; localAddress: string | undefined }> {
    const { replies, localAddress } = await this.#api.transact([this.#stat()], signal);
    return { look: this.#read(replies[0]), localAddress };
  }

  /**
   * Writes a state and looks. `changed` is true for one of those who write the same at once. `afresh` goes through
   * maintenance: a slot that HAProxy's checks found down stays down through `ready` until they have passed again, a beat
   * of theirs or two (measured on 2.6, 3.0 and 3.2); from maintenance it is up at once.
   * @throws BerthError `haproxy.…` when HAProxy refuses it
   */
  async write(
    state: WantedState,
    signal: AbortSignal,
    afresh = false,
  ): Promise<{ look: SlotLook; changed: boolean }> {
    const command = commands.setState(this.name, state);
    const before = afresh ? [commands.setState(this.name, 'maint')] : [];
    const { replies } = await this.#api.transact([...before, command, this.#stat()], signal);
    throwUnlessDone(replies[before.length], command);
    const changed = this.written !== state;
    this.written = state;
    this.held = false;
    return { look: this.#read(replies[before.length + 1]), changed };
  }

  /** Whether HAProxy is another process than at the last call, or than when the slot was found. */
  async isRestarted(signal: AbortSignal): Promise<boolean> {
    const { replies } = await this.#api.transact([commands.showInfo()], signal);
    const before = this.#process;
    if (replies[0] !== undefined) this.#process = processOf(replies[0]);
    return this.#process !== before;
  }

  /** Out of traffic, in whichever state that leaves it. */
  needsDrain(look: SlotLook): boolean {
    return look.serving || (this.written === 'ready' && !look.inMaintenance && !look.draining);
  }

  #stat() {
    return commands.showServerStat(this.#row.backendId, this.#row.serverId);
  }

  #read(reply: Reply | undefined): SlotLook {
    return readSlotLook(reply === undefined ? undefined : parseStat(reply)[0], this.name, this.app);
  }
}

/** Two restarts within a second can look alike (HAPROXY.md, "Restarts"); slots are compared, this only tells a reason. */
function processOf(reply: Reply): string {
  const { pid, startTime } = parseInfo(reply);
  return `${pid}/${startTime}`;
}

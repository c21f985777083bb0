// Keeps the database's copy of the registry: what changed, at most once a second; a sign of life once in a while, since
// a write for each heartbeat would be thousands a second for nothing. The database being away delays it, no more.
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { Store } from '../store/store.ts';
import type { AgentRecord } from './agent-record.ts';
import { deleteAgents, loadAgents, saveAgents } from './agents-table.ts';
import type { AgentRegistry } from './registry.ts';

const saveEveryMs = 1000;
const refreshEveryMs = 60_000;
const batchAgents = 200;

export class AgentSaver {
  readonly #registry: AgentRegistry;
  readonly #store: Store;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #keepMs: number;
  readonly #changed = new Set<string>();
  #loaded = false;
  #refreshedAt: number;

  /** `keepMs`: how long an agent without a session is remembered. */
  constructor(options: { registry: AgentRegistry; store: Store; log: Log; clock: Clock; keepMs: number }) {
    this.#registry = options.registry;
    this.#store = options.store;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#keepMs = options.keepMs;
    this.#refreshedAt = this.#clock.monotonic();
    this.#registry.onChange((id) => this.#changed.add(id));
  }

  /** Reads what an earlier run knew. False when the database is away; `run` then asks again. */
  async load(): Promise<boolean> {
    try {
      const records = await this.#store.use(loadAgents);
      const unsaved = new Set(this.#changed);
      this.#registry.restore(records);
      for (const { id } of records) if (!unsaved.has(id)) this.#changed.delete(id);
      this.#loaded = true;
    } catch (error) {
      this.#log.warn(
        { event: 'agents.unread', error: describeError(error) },
        'the agents of an earlier run are not known yet',
      );
    }
    return this.#loaded;
  }

  /** Until aborted; then saves once more. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(saveEveryMs, signal);
      if (this.#loaded || (await this.load())) await this.save();
    }
  }

  /** Writes what has changed. What fails is written by the next call. */
  async save(): Promise<void> {
    const now = this.#clock.monotonic();
    if (now - this.#refreshedAt >= refreshEveryMs) {
      this.#refreshedAt = now;
      this.#forgetOld();
      for (const record of this.#registry.list()) if (record.connected) this.#changed.add(record.id);
    }
    while (this.#changed.size > 0) {
      const ids = [...this.#changed].slice(0, batchAgents);
      for (const id of ids) this.#changed.delete(id);
      try {
        await this.#write(ids);
      } catch {
        // The store remembers the failure, and /readyz tells of it.
        for (const id of ids) this.#changed.add(id);
        return;
      }
    }
  }

  async #write(ids: readonly string[]): Promise<void> {
    const records = ids.map((id) => this.#registry.get(id)).filter((record) => record !== undefined);
    const kept = new Set(records.map((record) => record.id));
    const gone = ids.filter((id) => !kept.has(id));
    await this.#store.transaction(async (db) => {
      if (records.length > 0) await saveAgents(db, records);
      if (gone.length > 0) await deleteAgents(db, gone);
    });
  }

  #forgetOld(): void {
    const before = this.#clock.wall() - this.#keepMs;
    const old = (record: AgentRecord) => !record.connected && record.lastSeen < before;
    for (const record of this.#registry.list().filter(old)) this.#registry.forget(record.id);
  }
}

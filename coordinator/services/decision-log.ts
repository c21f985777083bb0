// What was decided, and what a policy remembers of a service (several services may share a policy): the last record of each
// service in memory, state and record in the database. A decision that changed something is written in one transaction with its audit row; the rest follows behind,
// since a policy that is evaluated each second would otherwise write each second.
import type { Kysely, Transaction } from 'kysely';
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { Audit } from '../audit/audit.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import type { DecisionRecord } from '../decide/record.ts';
import type { PolicyState } from '../decide/state.ts';
import type { Store } from '../store/store.ts';
import type { Tables } from '../store/tables.ts';

const everyMs = 5000;
/** Of each service in memory, for `why`: changes of its size, and evaluations that held it for another reason than before. */
const kept = { changes: 100, holds: 20 };

export interface Evaluation {
  record: DecisionRecord;
  /** Wall milliseconds. */
  at: number;
}

interface Remembered {
  state: PolicyState;
  record: DecisionRecord;
}

export class DecisionLog {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #last = new Map<string, Evaluation>();
  readonly #changes = new Map<string, Evaluation[]>();
  /** By service. */
  readonly #unsaved = new Map<string, Remembered>();

  constructor(parts: { store: Store; audit: Audit; log: Log; clock: Clock }) {
    this.#store = parts.store;
    this.#audit = parts.audit;
    this.#log = parts.log;
    this.#clock = parts.clock;
  }

  /** The last evaluation of the policy of a service, also one that held. */
  last(service: string): Evaluation | undefined {
    return this.#last.get(service);
  }

  /** Evaluations that changed the number or the reason, newest first. */
  changes(service: string): readonly Evaluation[] {
    return this.#changes.get(service) ?? [];
  }

  services(): string[] {
    return [...this.#last.keys()];
  }

  /**
   * What a policy remembered of a service in an earlier run; undefined when there is nothing, or another policy's.
   * @throws BerthError `database.unavailable`
   */
  async restore(service: string, policy: string): Promise<PolicyState | undefined> {
    const last = this.#unsaved.get(service);
    if (last !== undefined) return last.record.policy === policy ? last.state : undefined;
    const row = await this.#store.use((db) =>
      db
        .selectFrom('policy_memory')
        .select('state')
        .where('service', '=', service)
        .where('policy', '=', policy)
        .executeTakeFirst(),
    );
    if (row === undefined) return undefined;
    const state = JSON.parse(row.state) as PolicyState;
    return state.version === 1 ? state : undefined;
  }

  /** Notes an evaluation; with `entry`, it is one that is worth an audit row. */
  note(state: PolicyState, record: DecisionRecord, entry: AuditEntry | undefined): void {
    const evaluation = { record, at: this.#clock.wall() };
    this.#last.set(record.service, evaluation);
    this.#unsaved.set(record.service, { state, record });
    if (entry === undefined) return;
    const changes = this.#changes.get(record.service) ?? [];
    this.#changes.set(record.service, keepChange(evaluation, changes));
    const together = (db: Transaction<Tables>) => saveState(db, { state, record }, this.#clock.wall());
    this.#audit.record(entry, together).catch((error: unknown) => {
      this.#log.error(
        { event: 'audit.failed', error: describeError(error) },
        'a decision was not written to the audit',
      );
    });
  }

  /** Drops what the metrics of a service's policy remember. Its changes still count against rates and windows. */
  forgetMetrics(service: string, state: PolicyState): void {
    const record = this.#last.get(service)?.record;
    if (record !== undefined) this.#unsaved.set(service, { state: { ...state, metrics: {} }, record });
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(everyMs, signal);
      await this.save();
    }
  }

  async save(): Promise<void> {
    const unsaved = [...this.#unsaved];
    if (unsaved.length === 0) return;
    this.#unsaved.clear();
    try {
      await this.#store.transaction(async (db) => {
        for (const [, remembered] of unsaved) await saveState(db, remembered, this.#clock.wall());
      });
    } catch {
      // The store remembers the failure, and /readyz tells of it.
      for (const [service, remembered] of unsaved)
        if (!this.#unsaved.has(service)) this.#unsaved.set(service, remembered);
    }
  }
}

/** With what is new in it, newest first. A row that only says that nothing is new is no change. */
function keepChange(evaluation: Evaluation, changes: readonly Evaluation[]): Evaluation[] {
  const isHold = ({ record }: Evaluation) => record.outcome.action === 'none';
  const [newest] = changes;
  if (isHold(evaluation) && newest !== undefined && saysTheSame(evaluation, newest)) return [...changes];
  const all = [evaluation, ...changes];
  const count = { changes: 0, holds: 0 };
  return all.filter((each) => {
    const kind = isHold(each) ? 'holds' : 'changes';
    count[kind] += 1;
    return count[kind] <= kept[kind];
  });
}

function saysTheSame(
  { record: { outcome: a } }: Evaluation,
  { record: { outcome: b } }: Evaluation,
): boolean {
  return a.reason === b.reason && a.to === b.to && a.limits.join() === b.limits.join();
}

async function saveState(db: Kysely<Tables>, { state, record }: Remembered, wall: number): Promise<void> {
  await db.deleteFrom('policy_memory').where('service', '=', record.service).execute();
  await db
    .insertInto('policy_memory')
    .values({
      service: record.service,
      policy: record.policy,
      state: JSON.stringify(state),
      record: JSON.stringify(record),
      updated_at: Math.round(wall),
    })
    .execute();
}

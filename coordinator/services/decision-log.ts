// What was decided, and what a policy remembers: the last record of each policy in memory, state and record in the
// database. A decision that changed something is written in one transaction with its audit row; the rest follows behind,
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
/** Changes of a policy that are kept in memory, for `why`. */
const keptChanges = 100;

export interface Evaluation {
  record: DecisionRecord;
  /** Wall milliseconds. */
  at: number;
}

export class DecisionLog {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #last = new Map<string, Evaluation>();
  readonly #changes = new Map<string, Evaluation[]>();
  readonly #unsaved = new Map<string, { state: PolicyState; record: DecisionRecord }>();

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

  /** What a policy remembered in an earlier run; undefined when there is nothing. @throws BerthError `database.unavailable` */
  async restore(policy: string): Promise<PolicyState | undefined> {
    const row = await this.#store.use((db) =>
      db.selectFrom('policy_states').select('state').where('policy', '=', policy).executeTakeFirst(),
    );
    if (row === undefined) return undefined;
    const state = JSON.parse(row.state) as PolicyState;
    return state.version === 1 ? state : undefined;
  }

  /** Notes an evaluation; with `entry`, it is one that is worth an audit row. */
  note(state: PolicyState, record: DecisionRecord, entry: AuditEntry | undefined): void {
    const evaluation = { record, at: this.#clock.wall() };
    this.#last.set(record.service, evaluation);
    this.#unsaved.set(record.policy, { state, record });
    if (entry === undefined) return;
    const changes = this.#changes.get(record.service) ?? [];
    this.#changes.set(record.service, [evaluation, ...changes].slice(0, keptChanges));
    const together = (db: Transaction<Tables>) =>
      saveState(db, record.policy, state, record, this.#clock.wall());
    this.#audit.record(entry, together).catch((error: unknown) => {
      this.#log.error(
        { event: 'audit.failed', error: describeError(error) },
        'a decision was not written to the audit',
      );
    });
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
        for (const [policy, { state, record }] of unsaved)
          await saveState(db, policy, state, record, this.#clock.wall());
      });
    } catch {
      // The store remembers the failure, and /readyz tells of it.
      for (const [policy, both] of unsaved) if (!this.#unsaved.has(policy)) this.#unsaved.set(policy, both);
    }
  }
}

async function saveState(
  db: Kysely<Tables>,
  policy: string,
  state: PolicyState,
  record: DecisionRecord,
  wall: number,
): Promise<void> {
  await db.deleteFrom('policy_states').where('policy', '=', policy).execute();
  await db
    .insertInto('policy_states')
    .values({
      policy,
      state: JSON.stringify(state),
      record: JSON.stringify(record),
      updated_at: Math.round(wall),
    })
    .execute();
}

// The database, as something that may be away. Every use goes through `use`: it brings the schema up to date first,
// has a deadline, turns any driver's error into `database.unavailable`, and remembers how the last use went, which is
// what `/readyz` and `berth_database_up` show.
//
//   use ──► migrated? ──no──► migrate (single flight) ──► work ──► ok: failure = undefined
//                                      └───────────────────┴─────► error: failure = its text, since when
import { Kysely, type MigrationProvider, Migrator, type Transaction } from 'kysely';
import { BerthError, describeError } from '../../shared/errors.ts';
import type { DatabaseUrl } from './database-url.ts';
import { createDialect } from './dialects.ts';
import { migrations } from './migrations.ts';
import type { Tables } from './tables.ts';

export interface StoreFailure {
  reason: string;
  /** Wall milliseconds. */
  since: number;
}

const provider: MigrationProvider = { getMigrations: async () => migrations };

export class Store {
  /** The database's address without its password. */
  readonly name: string;
  readonly #kysely: Kysely<Tables>;
  readonly #deadlineMs: number;
  #migrated: Promise<void> | undefined;
  #failure: StoreFailure | undefined = undefined;

  constructor(name: string, kysely: Kysely<Tables>, deadlineMs: number) {
    this.name = name;
    this.#kysely = kysely;
    this.#deadlineMs = deadlineMs;
  }

  /** How the last use failed; undefined when it did not. */
  get failure(): StoreFailure | undefined {
    return this.#failure;
  }

  /** `isLate`: the deadline has passed, and the caller was told that it failed. @throws BerthError `database.unavailable` */
  async use<T>(work: (db: Kysely<Tables>, isLate: () => boolean) => Promise<T>): Promise<T> {
    let late = false;
    try {
      const working = this.#migrateThen((db) => work(db, () => late));
      const value = await withDeadline(working, this.#deadlineMs, () => {
        late = true;
      });
      this.#failure = undefined;
      return value;
    } catch (error) {
      const reason = describeError(error);
      this.#failure = { reason, since: this.#failure?.since ?? Date.now() };
      throw new BerthError('database.unavailable', `database ${this.name}: ${reason}`, { cause: error });
    }
  }

  /**
   * All of `work` or nothing of it. Should a database that hung go on after the deadline, `work` is rolled back: its caller
   * was told that it failed and may have written something newer since.
   * @throws BerthError `database.unavailable`
   */
  async transaction<T>(work: (db: Transaction<Tables>) => Promise<T>): Promise<T> {
    return this.use((db, isLate) =>
      db.transaction().execute(async (transaction) => {
        const value = await work(transaction);
        if (isLate()) throw new Error('it came after the deadline');
        return value;
      }),
    );
  }

  /** Asks the database for anything, so that `failure` is fresh when nothing else uses it. */
  async probe(): Promise<void> {
    await this.use((db) => db.selectFrom('agents').select('id').limit(1).execute());
  }

  async close(): Promise<void> {
    await this.#kysely.destroy();
  }

  async #migrateThen<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    this.#migrated ??= migrate(this.#kysely);
    try {
      await this.#migrated;
    } catch (error) {
      this.#migrated = undefined;
      throw error;
    }
    return work(this.#kysely);
  }
}

/** Connects to nothing yet: a database that is away at the start is found by the first use, and by the next one again. */
export async function openStore(database: DatabaseUrl, deadlineMs = 5000): Promise<Store> {
  const dialect = await createDialect(database);
  return new Store(database.name, new Kysely<Tables>({ dialect }), deadlineMs);
}

async function migrate(db: Kysely<Tables>): Promise<void> {
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (error !== undefined) throw error;
}

async function withDeadline<T>(work: Promise<T>, ms: number, onLate: () => void): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    onLate();
    reject(new Error(`no answer within ${ms} ms`));
  }, ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

// The database, as something that may be away. Every use goes through `use`: it brings the schema up to date first,
// has a deadline, turns any driver's error into `database.unavailable`, and remembers how the last use went, which is
// what `/readyz` and `berth_database_up` show.
//
//   use ──► migrated? ──no──► migrate (single flight) ──► work ──► ok: failure = undefined
//                                      └───────────────────┴─────► error: failure = its text, since when
//
// A network that swallows everything (a host that lost its power, a failover) leaves connections on which nobody ever
// answers, for a quarter of an hour. When all connections of a pool are late, a new pool takes over, and the database is
// found again as soon as it answers new connections.
import { Kysely, type MigrationProvider, Migrator, type Transaction } from 'kysely';
import { BerthError, describeError } from '../../shared/errors.ts';
import type { DatabaseUrl } from './database-url.ts';
import { mostConnections, prepareDialect } from './dialects.ts';
import { migrations } from './migrations.ts';
import type { Tables } from './tables.ts';

export interface StoreFailure {
  reason: string;
  /** Wall milliseconds. */
  since: number;
}

const provider: MigrationProvider = { getMigrations: async () => migrations };

/** At the end, connections that do not answer are not waited for any longer. */
const closeMs = 1000;

/** The connections in use, and what is known of them. */
interface Pool {
  readonly kysely: Kysely<Tables>;
  migrated: Promise<void> | undefined;
  /** Uses that have not ended, although their deadline has passed. */
  late: number;
}

export class Store {
  /** The database's address without its password. */
  readonly name: string;
  readonly #open: () => Kysely<Tables>;
  readonly #mostLate: number;
  readonly #deadlineMs: number;
  #pool: Pool;
  #failure: StoreFailure | undefined = undefined;

  /** `open` makes a pool of connections; another one is made when `mostLate` uses of it are late at once. */
  constructor(name: string, open: () => Kysely<Tables>, options: { mostLate: number; deadlineMs: number }) {
    this.name = name;
    this.#open = open;
    this.#mostLate = options.mostLate;
    this.#deadlineMs = options.deadlineMs;
    this.#pool = { kysely: open(), migrated: undefined, late: 0 };
  }

  /** How the last use failed; undefined when it did not. */
  get failure(): StoreFailure | undefined {
    return this.#failure;
  }

  /** `isLate`: the deadline has passed, and the caller was told that it failed. @throws BerthError `database.unavailable` */
  async use<T>(work: (db: Kysely<Tables>, isLate: () => boolean) => Promise<T>): Promise<T> {
    const pool = this.#pool;
    let late = false;
    try {
      const working = migrateThen(pool, (db) => work(db, () => late));
      const value = await withDeadline(working, this.#deadlineMs, () => {
        late = true;
        this.#noteLate(pool, working);
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
    await withDeadline(this.#pool.kysely.destroy(), closeMs, () => {}).catch(() => undefined);
  }

  #noteLate(pool: Pool, working: Promise<unknown>): void {
    pool.late += 1;
    const ended = () => {
      pool.late -= 1;
    };
    working.then(ended, ended);
    if (pool.late < this.#mostLate || pool !== this.#pool) return;
    this.#pool = { kysely: this.#open(), migrated: undefined, late: 0 };
    // It waits for those that are late.
    pool.kysely.destroy().catch(() => undefined);
  }
}

async function migrateThen<T>(pool: Pool, work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
  pool.migrated ??= migrate(pool.kysely);
  try {
    await pool.migrated;
  } catch (error) {
    pool.migrated = undefined;
    throw error;
  }
  return work(pool.kysely);
}

/** Connects to nothing yet: a database that is away at the start is found by the first use, and by the next one again. */
export async function openStore(database: DatabaseUrl, deadlineMs = 5000): Promise<Store> {
  const dialect = await prepareDialect(database);
  const mostLate = database.kind === 'sqlite' ? Number.POSITIVE_INFINITY : mostConnections;
  return new Store(database.name, () => new Kysely<Tables>({ dialect: dialect() }), { mostLate, deadlineMs });
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

// Kysely on Node's own SQLite. node:sqlite is synchronous, so SQLite's busy handler would stop the whole coordinator
// while another process holds the write lock; here a busy database is asked again after a short asynchronous sleep.
//
// Durability: WAL with `synchronous=normal`. A commit has reached the operating system before it returns, so it
// survives the death of this process (kill -9); a power cut may take the last commits, never the file.
// One connection, one user at a time: a transaction is never mixed with another query.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { type Clock, systemClock } from '../../shared/clock.ts';

const busyDeadlineMs = 500;
const sqliteBusy = 5;

/** True for SQLITE_BUSY and its extended codes. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === sqliteBusy;
}

export class SqliteDialect implements Dialect {
  readonly #path: string;
  readonly #clock: Clock;

  constructor(path: string, clock: Clock = systemClock) {
    this.#path = path;
    this.#clock = clock;
  }

  createDriver(): Driver {
    return new SqliteDriver(this.#path, this.#clock);
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }

  createAdapter(): DialectAdapter {
    return new TransactionalSqliteAdapter();
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }
}

/** SQLite's DDL is transactional; with it a migration that is killed half-way leaves nothing behind. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class SqliteDriver implements Driver {
  readonly #path: string;
  readonly #clock: Clock;
  #connection: SqliteConnection | undefined;
  #lastUser: Promise<void> = Promise.resolve();
  #release: () => void = () => {};

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  async init(): Promise<void> {
    if (this.#path !== ':memory:') mkdirSync(dirname(this.#path), { recursive: true });
    const database = new DatabaseSync(this.#path, { timeout: 0 });
    try {
      const connection = new SqliteConnection(database, this.#clock);
      for (const pragma of ['journal_mode = wal', 'synchronous = normal', 'foreign_keys = on']) {
        await connection.executeQuery(CompiledQuery.raw(`pragma ${pragma}`));
      }
      this.#connection = connection;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const before = this.#lastUser;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastUser = promise;
    await before;
    this.#release = resolve;
    if (this.#connection === undefined) throw new Error('the database is closed');
    return this.#connection;
  }

  async releaseConnection(): Promise<void> {
    this.#release();
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    // `immediate` takes the write lock now: nothing inside the transaction can find the database busy any more.
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // SQLite has rolled back by itself after some errors (disk full); a second rollback would hide the first error.
    if (this.#connection?.isTransaction === true)
      await connection.executeQuery(CompiledQuery.raw('rollback'));
  }

  async destroy(): Promise<void> {
    await this.#lastUser;
    this.#connection?.close();
    this.#connection = undefined;
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync;
  readonly #clock: Clock;

  constructor(database: DatabaseSync, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  get isTransaction(): boolean {
    return this.#database.isTransaction;
  }

  close(): void {
    this.#database.close();
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const deadline = this.#clock.monotonic() + busyDeadlineMs;
    for (let wait = 2; ; wait = Math.min(wait * 2, 50)) {
      try {
        return this.#run<Row>(query);
      } catch (error) {
        if (!isBusy(error) || this.#clock.monotonic() + wait > deadline) throw error;
      }
      await this.#clock.sleep(wait);
    }
  }

  #run<Row>(query: CompiledQuery): QueryResult<Row> {
    const statement = this.#database.prepare(query.sql);
    const parameters = query.parameters.map(bindable);
    if (statement.columns().length > 0) return { rows: statement.all(...parameters) as Row[] };
    const { changes, lastInsertRowid } = statement.run(...parameters);
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  streamQuery(): never {
    throw new Error('streaming is not supported; read page by page');
  }
}

function bindable(value: unknown): string | number | bigint | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return value;
  throw new TypeError(`a ${typeof value} cannot be stored; the schema knows text and numbers`);
}

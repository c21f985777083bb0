// The three databases as Kysely dialects. The network drivers are loaded only when they are used: SQLite users pay
// nothing for them.
import { type Dialect, PostgresDialect } from 'kysely';
import type { DatabaseUrl } from './database-url.ts';
import { SqliteDialect } from './sqlite-dialect.ts';
import { Utf8MysqlDialect } from './utf8-mysql-dialect.ts';

const connectMs = 2000;
const int8 = 20;

export async function createDialect(database: DatabaseUrl): Promise<Dialect> {
  switch (database.kind) {
    case 'sqlite':
      return new SqliteDialect(database.path);
    case 'mysql': {
      const { createPool } = await import('mysql2');
      const uri = database.url.replace(/^mariadb:/, 'mysql:');
      const pool = createPool({ uri, connectionLimit: 4, connectTimeout: connectMs, charset: 'utf8mb4_bin' });
      return new Utf8MysqlDialect({ pool });
    }
    case 'postgres': {
      const { default: pg } = await import('pg');
      const types = new pg.TypeOverrides();
      // Times in milliseconds stay far below 2^53.
      types.setTypeParser(int8, Number);
      const pool = new pg.Pool({
        connectionString: database.url,
        max: 4,
        connectionTimeoutMillis: connectMs,
        types,
      });
      // A connection that breaks fails the query that it carries; the pool replaces it at the next use. The same error
      // comes as an event too, of the pool for an idle connection, of the connection otherwise.
      pool.on('error', () => {});
      pool.on('connect', (client) => client.on('error', () => {}));
      return new PostgresDialect({ pool });
    }
  }
}

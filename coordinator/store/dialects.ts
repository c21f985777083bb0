// The three databases as Kysely dialects. The network drivers are loaded only when they are used: SQLite users pay
// nothing for them.
import { type Dialect, PostgresDialect } from 'kysely';
import type { DatabaseUrl } from './database-url.ts';
import { SqliteDialect } from './sqlite-dialect.ts';
import { Utf8MysqlDialect } from './utf8-mysql-dialect.ts';

const connectMs = 2000;
const int8 = 20;
/** Connections of one pool. */
export const mostConnections = 4;

/** What makes the dialect, with a pool of connections of its own: a new one each time, but for SQLite's one file. */
export async function prepareDialect(database: DatabaseUrl): Promise<() => Dialect> {
  switch (database.kind) {
    case 'sqlite':
      return () => new SqliteDialect(database.path);
    case 'mysql': {
      const { createPool } = await import('mysql2');
      const uri = database.url.replace(/^mariadb:/, 'mysql:');
      const options = { connectionLimit: mostConnections, connectTimeout: connectMs, charset: 'utf8mb4_bin' };
      return () => new Utf8MysqlDialect({ pool: createPool({ uri, ...options }) });
    }
    case 'postgres': {
      const { default: pg } = await import('pg');
      const types = new pg.TypeOverrides();
      // Times in milliseconds stay far below 2^53.
      types.setTypeParser(int8, Number);
      return () => {
        const pool = new pg.Pool({
          connectionString: database.url,
          max: mostConnections,
          connectionTimeoutMillis: connectMs,
          keepAlive: true,
          types,
        });
        // A connection that breaks fails the query that it carries; the pool replaces it at the next use. The same error
        // comes as an event too, of the pool for an idle connection, of the connection otherwise.
        pool.on('error', () => {});
        pool.on('connect', (client) => client.on('error', () => {}));
        return new PostgresDialect({ pool });
      };
    }
  }
}

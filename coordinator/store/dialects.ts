// The three databases as Kysely dialects. The network drivers are loaded only when they are used: SQLite users pay
// nothing for them.
import { type Dialect, MysqlDialect, PostgresDialect } from 'kysely';
import type { DatabaseUrl } from './database-url.ts';
import { SqliteDialect } from './sqlite-dialect.ts';

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
      return new MysqlDialect({ pool });
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
      // An idle connection that breaks is replaced by the pool at its next use.
      pool.on('error', () => {});
      return new PostgresDialect({ pool });
    }
  }
}

// MySQL and MariaDB. The query becomes a table of a SELECT of ours: a read-only transaction alone does not do, since DROP
// TABLE ends it first. The two name the limit of a statement's time differently, and only MariaDB counts it in seconds.
import { isIP } from 'node:net';
import { type Connection, createConnection } from 'mysql2';
import { errorCode, networkError } from './network-error.ts';
import { ReadingError } from './reading-error.ts';
import { databaseOf, hostOf, type Rows, type SqlQuestion } from './sql-question.ts';

export async function mysqlRows(question: SqlQuestion): Promise<Rows> {
  const { url, query, credentials, tls, signal, deadlineMs } = question;
  const host = hostOf(url);
  const database = databaseOf(url);
  const connection = createConnection({
    host,
    port: Number(url.port || 3306),
    ...(credentials.username === undefined ? {} : { user: credentials.username }),
    ...(credentials.password === undefined ? {} : { password: credentials.password }),
    ...(database === undefined ? {} : { database }),
    // The driver can check a name against the certificate, and no address.
    ...(tls === undefined ? {} : { ssl: { ...tls, verifyIdentity: isIP(host) === 0 } }),
    connectTimeout: deadlineMs,
    rowsAsArray: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
  });
  const end = () => connection.destroy();
  // What fails is told by the call that fails.
  connection.on('error', () => undefined);
  signal.addEventListener('abort', end, { once: true });
  try {
    const version = String((await ask(connection, 'SELECT VERSION()'))[0]?.[0]);
    const limit = version.includes('MariaDB')
      ? `SET SESSION max_statement_time = ${deadlineMs / 1000}`
      : `SET SESSION max_execution_time = ${Math.ceil(deadlineMs)}`;
    await ask(connection, limit);
    await ask(connection, 'START TRANSACTION READ ONLY');
    // The line break ends a comment that may stand at the query's end.
    return await ask(connection, `SELECT * FROM (${query}\n) AS berth LIMIT 2`);
  } catch (error) {
    throw signal.aborted ? signal.reason : mysqlError(error);
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}

async function ask(connection: Connection, text: string): Promise<Rows> {
  const [rows] = await connection.promise().query(text);
  // A statement that gives no rows gives a summary instead.
  return Array.isArray(rows) ? rows.filter((row) => Array.isArray(row)) : [];
}

const denied = /^ER_(?:.*ACCESS_DENIED.*|HOST_NOT_PRIVILEGED|MUST_CHANGE_PASSWORD.*|HANDSHAKE_ERROR)$/;
const tooSlow = /^ER_(?:STATEMENT_TIMEOUT|QUERY_TIMEOUT)$/;

function mysqlError(error: unknown): ReadingError {
  const code = errorCode(error);
  const why = error instanceof Error ? error.message : code;
  if (denied.test(code))
    return new ReadingError('unauthorized', `it answered: ${why}`, {
      hint: 'check `auth` and the grants of this user',
    });
  if (tooSlow.test(code)) return new ReadingError('timeout', 'the query took longer than the deadline');
  if (code.startsWith('ER_')) return new ReadingError('refused', `it answered: ${why}`);
  if (code === '' || code === 'HANDSHAKE_NO_SSL_SUPPORT' || /packet/i.test(why))
    return new ReadingError('bad-answer', `it does not answer as MySQL does: ${why}`);
  return networkError(error);
}

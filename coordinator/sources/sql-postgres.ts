// PostgreSQL. A cursor bounds the rows and takes nothing but a query. A statement with a name goes by the extended
// protocol, which takes one statement only.
import { Socket } from 'node:net';
import { Client, DatabaseError } from 'pg';
import { networkError } from './network-error.ts';
import { ReadingError } from './reading-error.ts';
import { databaseOf, hostOf, type Rows, type SqlQuestion } from './sql-question.ts';

export async function postgresRows(question: SqlQuestion): Promise<Rows> {
  const { url, query, credentials, tls, signal, deadlineMs } = question;
  const database = databaseOf(url);
  // A socket of our own, since the driver leaves one open that is connected and never answered.
  const socket = new Socket();
  const end = () => socket.destroy();
  signal.addEventListener('abort', end, { once: true });
  const client = new Client({
    host: hostOf(url),
    port: Number(url.port || 5432),
    stream: () => socket,
    ...(credentials.username === undefined ? {} : { user: credentials.username }),
    ...(credentials.password === undefined ? {} : { password: credentials.password }),
    ...(database === undefined ? {} : { database }),
    // With the host an address is checked against the certificate too; a name is anyway.
    ssl: tls === undefined ? false : { ...tls, host: hostOf(url) },
    statement_timeout: Math.ceil(deadlineMs),
    application_name: 'berth',
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('BEGIN READ ONLY');
    await client.query({ text: `DECLARE berth NO SCROLL CURSOR FOR ${query}`, name: 'berth' });
    const { rows } = await client.query<unknown[]>({ text: 'FETCH 2 FROM berth', rowMode: 'array' });
    return rows;
  } catch (error) {
    throw signal.aborted ? signal.reason : postgresError(error);
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}

function postgresError(error: unknown): ReadingError {
  if (!(error instanceof DatabaseError)) return networkError(error);
  const { code = '', message } = error;
  // Class 28: invalid authorization; 42501: insufficient privilege; 57014: cancelled by statement_timeout.
  if (code.startsWith('28') || code === '42501')
    return new ReadingError('unauthorized', `it answered: ${message}`, {
      hint: 'check `auth` and the grants of this user',
    });
  if (code === '57014') return new ReadingError('timeout', 'the query took longer than the deadline');
  return new ReadingError('refused', `it answered: ${message}`);
}

// One number from a database: one row with one column. The query runs in a read-only transaction on a connection of
// its own, is stopped by the database itself at the deadline, and no more than two rows are ever fetched.
import type { SourceOf } from '../policy/source-schema.ts';
import { hidingSecrets, readCredentials, readTls } from './credentials.ts';
import { ReadingError } from './reading-error.ts';
import { readingNumber } from './reading-number.ts';
import { abandonAt } from './shared-read.ts';
import type { ReadContext, Source } from './source.ts';
import type { Rows, SqlQuestion } from './sql-question.ts';

/** Each driver is loaded when a policy uses it: it takes 15 MB. */
const mysql = async (question: SqlQuestion) => (await import('./sql-mysql.ts')).mysqlRows(question);
const postgres = async (question: SqlQuestion) => (await import('./sql-postgres.ts')).postgresRows(question);
const sqlite = async (question: SqlQuestion) => (await import('./sql-sqlite.ts')).sqliteRows(question);

const databases: Readonly<Record<string, (question: SqlQuestion) => Promise<Rows>>> = {
  'mysql:': mysql,
  'postgres:': postgres,
  'postgresql:': postgres,
  'sqlite:': sqlite,
};

export function sqlSource(config: SourceOf<'sql'>): Source {
  return {
    read: async ({ signal, deadlineMs }: ReadContext) => {
      const credentials = await readCredentials(config.auth);
      if (credentials.bearer !== undefined)
        throw new ReadingError(
          'unauthorized',
          'databases know no bearer token: give username and passwordFile',
        );
      const tls = await readTls(config.tls);
      const url = new URL(config.url);
      const ask = databases[url.protocol];
      if (ask === undefined) throw new ReadingError('refused', `there is no driver for ${url.protocol}`);
      const query = config.query.replace(/[;\s]+$/, '');
      const question = { url, query, credentials, tls, signal, deadlineMs };
      const rows = await hidingSecrets(credentials, () => abandonAt(signal, ask(question)));
      return { ok: true, shape: 'total', value: onlyNumber(rows), ageMs: 0 };
    },
  };
}

/** @throws ReadingError */
export function onlyNumber(rows: Rows): number {
  const [row, second] = rows;
  if (row === undefined) throw new ReadingError('empty', 'the query gives no row');
  if (second !== undefined)
    throw new ReadingError('bad-answer', 'the query gives more than one row', {
      hint: 'aggregate, e.g. with count(*)',
    });
  if (row.length !== 1)
    throw new ReadingError('bad-answer', `the query gives ${row.length} columns, not one`);
  return readingNumber(row[0], 'the result of the query');
}

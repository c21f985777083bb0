// A SQLite file. Node's SQLite is synchronous, so a slow query would stop the whole coordinator: it runs in a child
// process, which is killed at the deadline.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { ReadingError } from './reading-error.ts';
import type { Rows, SqlQuestion } from './sql-question.ts';

const script = `
const { DatabaseSync } = require('node:sqlite');
const [path, query, timeout] = process.argv.slice(1);
let answer;
try {
  const database = new DatabaseSync(path, { readOnly: true, timeout: Number(timeout) });
  const statement = database.prepare(query);
  statement.setReadBigInts(true);
  const rows = [];
  for (const row of statement.iterate()) {
    rows.push(Object.values(row).map((value) => (typeof value === 'bigint' || Number.isFinite(value) ? String(value) : value)));
    if (rows.length === 2) break;
  }
  answer = { rows };
} catch (error) {
  answer = { error: error.message, code: error.errcode ?? 0 };
}
process.stdout.write(JSON.stringify(answer));
`;

const answerSchema = z.union([
  z.object({ rows: z.array(z.array(z.unknown())) }),
  z.object({ error: z.string(), code: z.number() }),
]);

const run = promisify(execFile);
// SQLite's result codes.
const busy = 5;
const cannotOpen = 14;

export async function sqliteRows({ url, query, signal, deadlineMs }: SqlQuestion): Promise<Rows> {
  const path = decodeURIComponent(url.pathname);
  const { stdout } = await run(
    process.execPath,
    ['--no-warnings', '-e', script, '--', path, query, String(Math.ceil(deadlineMs))],
    { signal, killSignal: 'SIGKILL', maxBuffer: 1024 * 1024, env: {} },
  ).catch((error: Error) => {
    throw signal.aborted
      ? signal.reason
      : new ReadingError('unknown', `the query could not be run: ${error.message}`);
  });
  const answer = answerSchema.parse(JSON.parse(stdout));
  if ('rows' in answer) return answer.rows;
  if (answer.code === cannotOpen)
    throw new ReadingError('unreachable', `${path} cannot be opened: ${answer.error}`);
  if (answer.code === busy) throw new ReadingError('timeout', `${path} stayed locked`);
  throw new ReadingError('refused', `SQLite answered: ${answer.error}`);
}

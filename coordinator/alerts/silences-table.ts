// Silences in the database.
import type { Kysely, Transaction } from 'kysely';
import type { Tables } from '../store/tables.ts';
import { type Silence, silenceMatchSchema } from './silence.ts';

/** Writes silences over what is there. To be called in a transaction. */
export async function saveSilences(db: Transaction<Tables>, silences: readonly Silence[]): Promise<void> {
  if (silences.length === 0) return;
  const ids = silences.map(({ id }) => id);
  await db.deleteFrom('alert_silences').where('id', 'in', ids).execute();
  const rows = silences.map(({ id, match, until, by, why, createdAt }) => ({
    id,
    matchers: JSON.stringify(match),
    until_at: until,
    actor: by,
    reason: why,
    created_at: createdAt,
  }));
  await db.insertInto('alert_silences').values(rows).execute();
}

/** Those that are not over, or were ended after `since`. */
export async function loadSilences(db: Kysely<Tables>, since: number): Promise<Silence[]> {
  const rows = await db.selectFrom('alert_silences').selectAll().where('until_at', '>', since).execute();
  return rows.flatMap((row) => {
    const match = silenceMatchSchema.safeParse(JSON.parse(row.matchers));
    if (!match.success) return [];
    const { id, until_at: until, actor: by, reason: why, created_at: createdAt } = row;
    return [{ id, match: match.data, until, by, why, createdAt }];
  });
}

// What earlier versions stored of policies, by policy instead of by service, is taken over: call it with any database.
import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore } from '../../coordinator/store/store.ts';

export async function takesOverPolicyStates(url: string): Promise<void> {
  const earlier = await openStore(parseDatabaseUrl(url));
  await earlier.use(async (db) => {
    await sql`delete from kysely_migration where name = '2026-05-policy-memory'`.execute(db);
    for (const policy of ['nights', 'web']) {
      const record = JSON.stringify({ service: 'shop', policy });
      await sql`insert into policy_states (policy, state, record, updated_at)
        values (${policy}, ${`state of ${policy}`}, ${record}, ${policy === 'web' ? 2 : 1})`.execute(db);
    }
  });
  await earlier.close();
  const now = await openStore(parseDatabaseUrl(url));
  const rows = await now.use((db) =>
    db.selectFrom('policy_memory').select(['service', 'policy', 'state']).execute(),
  );
  await now.close();
  assert.deepEqual(
    rows.flatMap(({ service, policy, state }) => (service === 'shop' ? [[policy, state]] : [])),
    [['web', 'state of web']],
  );
}

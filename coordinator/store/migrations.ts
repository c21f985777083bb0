// Every change of the schema, in order, inside the program: there are no files to ship beside it. A migration that has
// been released is never edited; a change is a new one. Only what all three databases understand is used: MySQL wants a
// length on text that is a key, and knows no `create index if not exists`. Nor does it put a schema back when a migration
// ends half way (the coordinator was killed, the connection lost): each statement takes what is there already for done.
import { type Kysely, type Migration, MysqlAdapter, sql } from 'kysely';
import type { PolicyMemoryTable, Tables } from './tables.ts';

const createTable = (db: Kysely<Tables>, name: string) => db.schema.createTable(name).ifNotExists();

async function createIndex(
  db: Kysely<Tables>,
  name: string,
  table: string,
  columns: string[],
): Promise<void> {
  try {
    await db.schema.createIndex(name).on(table).columns(columns).execute();
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'ER_DUP_KEYNAME';
    if (!isThere) throw error;
  }
}

async function createAgents(db: Kysely<Tables>): Promise<void> {
  await createTable(db, 'agents')
    .addColumn('id', 'varchar(253)', (column) => column.primaryKey())
    .addColumn('service', 'varchar(253)')
    .addColumn('container', 'varchar(253)')
    .addColumn('hostname', 'varchar(253)')
    .addColumn('phase', 'varchar(16)', (column) => column.notNull())
    .addColumn('registrations', 'text', (column) => column.notNull())
    .addColumn('goodbye_reason', 'text')
    .addColumn('drain_reason', 'text')
    .addColumn('first_seen', 'bigint', (column) => column.notNull())
    .addColumn('last_seen', 'bigint', (column) => column.notNull())
    .execute();
}

async function createAudit(db: Kysely<Tables>): Promise<void> {
  await createTable(db, 'audit')
    .addColumn('id', 'varchar(32)', (column) => column.primaryKey())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('event', 'varchar(253)', (column) => column.notNull())
    .addColumn('actor', 'varchar(253)', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('outcome', 'varchar(16)', (column) => column.notNull())
    .addColumn('agent', 'varchar(253)')
    .addColumn('container', 'varchar(253)')
    .addColumn('host', 'varchar(253)')
    .addColumn('service', 'varchar(253)')
    .addColumn('haproxy', 'varchar(253)')
    .addColumn('backend', 'varchar(253)')
    .addColumn('slot', 'varchar(253)')
    .addColumn('policy', 'varchar(253)')
    .addColumn('metric', 'varchar(253)')
    .addColumn('value', 'double precision')
    .addColumn('from_value', 'text')
    .addColumn('to_value', 'text')
    .addColumn('alert', 'varchar(253)')
    .addColumn('details', 'text')
    .execute();
  await createIndex(db, 'audit_at', 'audit', ['at']);
  await createIndex(db, 'audit_service', 'audit', ['service', 'id']);
  await createIndex(db, 'audit_agent', 'audit', ['agent', 'id']);
  await createIndex(db, 'audit_event', 'audit', ['event', 'id']);
}

async function createAlerts(db: Kysely<Tables>): Promise<void> {
  await createTable(db, 'alert_inbox')
    .addColumn('id', 'varchar(32)', (column) => column.primaryKey())
    .addColumn('fingerprint', 'varchar(253)', (column) => column.notNull())
    .addColumn('dialect', 'varchar(16)', (column) => column.notNull())
    .addColumn('name', 'varchar(253)')
    .addColumn('service', 'varchar(253)')
    .addColumn('container', 'varchar(253)')
    .addColumn('action', 'varchar(32)')
    .addColumn('severity', 'varchar(253)')
    .addColumn('status', 'varchar(16)', (column) => column.notNull())
    .addColumn('state', 'varchar(16)', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('repeats', 'integer', (column) => column.notNull())
    .addColumn('starts_at', 'bigint')
    .addColumn('received_at', 'bigint', (column) => column.notNull())
    .addColumn('heard_at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint')
    .addColumn('ended_at', 'bigint')
    .addColumn('signal', 'text')
    .addColumn('document', 'text')
    .execute();
  await createIndex(db, 'alert_inbox_received', 'alert_inbox', ['received_at', 'id']);
  await createIndex(db, 'alert_inbox_expires', 'alert_inbox', ['expires_at']);
  await createIndex(db, 'alert_inbox_ended', 'alert_inbox', ['ended_at']);
  await createTable(db, 'alert_silences')
    .addColumn('id', 'varchar(64)', (column) => column.primaryKey())
    .addColumn('matchers', 'text', (column) => column.notNull())
    .addColumn('until_at', 'bigint', (column) => column.notNull())
    .addColumn('actor', 'varchar(253)', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();
}

/** Text of more than 64 KB, which MySQL's `text` cuts off. */
function longText(db: Kysely<Tables>) {
  return db.getExecutor().adapter instanceof MysqlAdapter ? sql`longtext` : 'text';
}

async function createServices(db: Kysely<Tables>): Promise<void> {
  await createTable(db, 'services')
    .addColumn('service', 'varchar(253)', (column) => column.primaryKey())
    .addColumn('state', longText(db), (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .execute();
  await createTable(db, 'policies')
    .addColumn('name', 'varchar(253)', (column) => column.primaryKey())
    .addColumn('service', 'varchar(253)', (column) => column.notNull())
    .addColumn('document', longText(db), (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_by', 'varchar(253)', (column) => column.notNull())
    .execute();
  await createTable(db, 'policy_states')
    .addColumn('policy', 'varchar(253)', (column) => column.primaryKey())
    .addColumn('state', longText(db), (column) => column.notNull())
    .addColumn('record', longText(db), (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .execute();
}

/**
 * What policies remember, by service instead of by policy, as `policy_states` had it. A new table, since these databases
 * change a key each in its own words; and done again from wherever it was cut off, since MySQL takes no table back.
 */
async function createPolicyMemory(db: Kysely<Tables>): Promise<void> {
  await createTable(db, 'policy_memory')
    .addColumn('service', 'varchar(253)', (column) => column.primaryKey())
    .addColumn('policy', 'varchar(253)', (column) => column.notNull())
    .addColumn('state', longText(db), (column) => column.notNull())
    .addColumn('record', longText(db), (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .execute();
  const { rows } = await sql<Omit<PolicyMemoryTable, 'service'>>`
    select policy, state, record, updated_at from policy_states order by updated_at`.execute(db);
  for (const { policy, state, record, updated_at } of rows) {
    const service = serviceOf(record);
    if (service === undefined) continue;
    await db.deleteFrom('policy_memory').where('service', '=', service).execute();
    await db.insertInto('policy_memory').values({ service, policy, state, record, updated_at }).execute();
  }
  await sql`delete from policy_states`.execute(db);
}

function serviceOf(record: string): string | undefined {
  const { service }: { service?: unknown } = JSON.parse(record);
  return typeof service === 'string' ? service : undefined;
}

export const migrations: Record<string, Migration> = {
  '2026-01-agents': { up: createAgents },
  '2026-02-audit': { up: createAudit },
  '2026-03-alerts': { up: createAlerts },
  '2026-04-services': { up: createServices },
  '2026-05-policy-memory': { up: createPolicyMemory },
};

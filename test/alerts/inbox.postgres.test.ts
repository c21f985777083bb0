import { after } from 'node:test';
import { startPostgres } from '../bench/postgres.ts';
import { outageSuite } from './inbox-outage.ts';
import { inboxSuite } from './inbox-suite.ts';

const postgres = await startPostgres();
after(() => postgres.stop());

/** The tables are made once, by the first test that uses them. */
let used = false;
async function empty(): Promise<string> {
  if (used) await postgres.sql('TRUNCATE TABLE alert_inbox; TRUNCATE TABLE alert_silences');
  used = true;
  return postgres.urlWithPassword;
}

inboxSuite('PostgreSQL', empty);
outageSuite('PostgreSQL', postgres, 'SIGINT', empty);

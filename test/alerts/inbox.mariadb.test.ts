import { after } from 'node:test';
import { startMariadb } from '../bench/mariadb.ts';
import { outageSuite } from './inbox-outage.ts';
import { inboxSuite } from './inbox-suite.ts';

const mariadb = await startMariadb();
after(() => mariadb.stop());

/** The tables are made once, by the first test that uses them. */
let used = false;
async function empty(): Promise<string> {
  if (used) await mariadb.sql('TRUNCATE TABLE alert_inbox; TRUNCATE TABLE alert_silences');
  used = true;
  return mariadb.urlWithPassword;
}

inboxSuite('MariaDB', empty);
outageSuite('MariaDB', mariadb, 'SIGTERM', empty);

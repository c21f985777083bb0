import assert from 'node:assert/strict';
import { chmod, chown, copyFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { type Mariadb, startMariadb } from '../bench/mariadb.ts';
import { type Postgres, startPostgres } from '../bench/postgres.ts';
import { runProcess } from '../bench/processes.ts';
import { until } from '../bench/wait.ts';
import { makeCertificates } from './certificates.ts';
import { startGarbage, startSilent } from './faulty-server.ts';
import { failureOf, testSource, totalOf } from './read-source.ts';
import { type SecretFile, secretFile } from './secret-file.ts';

let mariadb: Mariadb;
let postgres: Postgres;
let secret: SecretFile;
let folder: string;
let sqliteUrl: string;

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-sql-'));
  sqliteUrl = `sqlite:${join(folder, 'jobs.db')}`;
  const database = new DatabaseSync(join(folder, 'jobs.db'));
  const jobs =
    "CREATE TABLE jobs (state varchar(10)); INSERT INTO jobs VALUES ('waiting'), ('waiting'), ('done')";
  database.exec(jobs);
  database.close();
  [mariadb, postgres] = await Promise.all([startMariadb(), startPostgres()]);
  secret = await secretFile(mariadb.password);
  await mariadb.sql(jobs);
  await postgres.sql(`${jobs}; ALTER TABLE jobs OWNER TO ${postgres.username}`);
});
test.after(async () => {
  await Promise.all([mariadb?.stop(), postgres?.stop(), secret?.[Symbol.asyncDispose]()]);
  await rm(folder, { recursive: true, force: true });
});

const databases = {
  MariaDB: () => ({ url: mariadb.url, auth: { username: mariadb.username, passwordFile: secret.path } }),
  PostgreSQL: () => ({ url: postgres.url, auth: { username: postgres.username, passwordFile: secret.path } }),
  SQLite: () => ({ url: sqliteUrl }),
};

/** Takes long in each of them; SQLite has no sleep. */
const slow = {
  MariaDB: 'SELECT SLEEP(30)',
  PostgreSQL: 'SELECT 1 FROM pg_sleep(30)',
  SQLite: 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n',
};

for (const [name, access] of Object.entries(databases)) {
  const read = (query: string, rest: object = {}, deadlineMs?: number) =>
    testSource({ type: 'sql', query, ...access(), ...rest }).read(deadlineMs);

  test(`${name}: one row with one number`, async () => {
    const count = "SELECT count(*) FROM jobs WHERE state = 'waiting';\n";
    assert.deepEqual(await read(count), { ok: true, shape: 'total', value: 2, ageMs: 0 });
    assert.equal(totalOf(await read('SELECT 9007199254740991 AS big')).value, 9_007_199_254_740_991);
    assert.equal(totalOf(await read('SELECT 1.5')).value, 1.5);
    assert.equal(totalOf(await read("SELECT '12.25'")).value, 12.25);
    assert.equal(totalOf(await read('SELECT 0 -- none')).value, 0);
    assert.equal(totalOf(await read('WITH n AS (SELECT 5 AS x) SELECT x FROM n')).value, 5);
  });

  test(`${name}: no row and NULL are empty and not 0`, async () => {
    assert.equal(failureOf(await read("SELECT 1 FROM jobs WHERE state = 'none'")).code, 'empty');
    assert.equal(failureOf(await read("SELECT max(1) FROM jobs WHERE state = 'none'")).code, 'empty');
  });

  test(`${name}: several rows, several columns, text and NaN are no number`, async () => {
    assert.match(failureOf(await read('SELECT 1 FROM jobs')).message, /more than one row/);
    assert.match(failureOf(await read('SELECT 1 AS a, 2 AS b')).message, /2 columns/);
    assert.equal(failureOf(await read("SELECT 'many'")).code, 'bad-answer');
    assert.equal(failureOf(await read("SELECT 'NaN'")).code, 'nan');
  });

  test(`${name}: what it cannot run is refused in its own words`, async () => {
    const failure = failureOf(await read('SELECT count(*) FROM no_such_table'));
    assert.equal(failure.code, 'refused');
    assert.match(failure.message, /no_such_table/);
  });

  test(`${name}: nothing can be written, not by a second statement either`, async () => {
    for (const query of ["INSERT INTO jobs VALUES ('new')", 'DELETE FROM jobs', 'DROP TABLE jobs'])
      assert.ok(!(await read(query)).ok, query);
    await read("SELECT 1; INSERT INTO jobs VALUES ('new')");
    assert.equal(totalOf(await read('SELECT count(*) FROM jobs')).value, 3);
  });

  test(`${name}: a slow query ends at the deadline`, async () => {
    assert.equal(failureOf(await read(slow[name as keyof typeof slow], {}, 300)).code, 'timeout');
    assert.equal(totalOf(await read('SELECT 1')).value, 1);
  });
}

test('a slow query ends in the database too', async () => {
  const nobody = async (sql: Promise<string>) => (await sql).trim() === '0';
  const inMariadb = "SELECT count(*) FROM information_schema.processlist WHERE user = 'berth'";
  const inPostgres = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'berth'";
  await until(() => nobody(mariadb.sql(inMariadb)), { what: 'MariaDB runs nothing for us' });
  await until(() => nobody(postgres.sql(inPostgres)), { what: 'PostgreSQL runs nothing for us' });
});

test('PostgreSQL: NaN of a float, and a bigint beyond the whole numbers', async () => {
  const read = (query: string) => testSource({ type: 'sql', query, ...databases.PostgreSQL() }).read();
  assert.equal(failureOf(await read("SELECT 'NaN'::float8")).code, 'nan');
  assert.equal(failureOf(await read("SELECT 'Infinity'::float8")).code, 'nan');
  assert.equal(totalOf(await read('SELECT 9223372036854775807')).value, 2 ** 63);
});

for (const name of ['MariaDB', 'PostgreSQL'] as const) {
  test(`${name}: wrong credentials and missing rights; the password is in no error`, async () => {
    await using wrong = await secretFile('hunter2-wrong');
    const { url, auth } = databases[name]();
    const read = (rest: object) => testSource({ type: 'sql', url, auth, query: 'SELECT 1', ...rest }).read();
    const failure = failureOf(await read({ auth: { ...auth, passwordFile: wrong.path } }));
    assert.equal(failure.code, 'unauthorized');
    assert.doesNotMatch(failure.message, /hunter2/);
    const forbidden = {
      MariaDB: 'SELECT count(*) FROM mysql.user',
      PostgreSQL: 'SELECT count(*) FROM pg_authid',
    };
    assert.equal(failureOf(await read({ query: forbidden[name] })).code, 'unauthorized');
    assert.equal(failureOf(await read({ url: `${url}-not-there` })).ok, false);
  });

  test(`${name}: hangs, away, garbage; nothing stays open`, async () => {
    await using silent = await startSilent();
    await using garbage = await startGarbage();
    const { url, auth } = databases[name]();
    const at = (port: number, deadlineMs?: number) => {
      const there = new URL(url);
      there.port = String(port);
      return testSource({ type: 'sql', url: there.href, auth, query: 'SELECT 1' }).read(deadlineMs);
    };
    assert.equal(failureOf(await at(silent.port, 100)).code, 'timeout');
    assert.equal(failureOf(await at(garbage.port, 100)).code, 'timeout');
    await until(() => silent.open() === 0 && garbage.open() === 0, { what: 'every connection is closed' });
    const { port } = silent;
    await silent[Symbol.asyncDispose]();
    assert.equal(failureOf(await at(port)).code, 'unreachable');
  });
}

test('SQLite: a file that is not there, and one that is none', async () => {
  const read = (url: string) => testSource({ type: 'sql', url, query: 'SELECT 1 FROM jobs LIMIT 1' }).read();
  const missing = failureOf(await read(`sqlite:${join(folder, 'none.db')}`));
  assert.equal(missing.code, 'unreachable');
  assert.match(missing.message, /cannot be opened/);
  await copyFile(import.meta.filename, join(folder, 'text.db'));
  assert.equal(failureOf(await read(`sqlite:${join(folder, 'text.db')}`)).code, 'refused');
});

test('TLS: the certificate is checked, and plain text is not used', async () => {
  await using certificates = await makeCertificates();
  const { ca, serverCert, serverKey } = certificates;
  await chmod(certificates.folder, 0o755);
  const owner = await stat(folder);
  const key = join(certificates.folder, 'postgres.key');
  await copyFile(serverKey, key);
  await chmod(key, 0o640);
  await chown(key, owner.uid, await groupOf('postgres'));
  await chmod(serverKey, 0o644);
  const ssl = ['ssl=on', `ssl_cert_file=${serverCert}`, `ssl_key_file=${key}`].flatMap((each) => [
    '-c',
    each,
  ]);
  await using secured = await startPostgres({ args: ssl });
  await using maria = await startMariadb({
    args: [
      `--ssl-ca=${ca}`,
      `--ssl-cert=${serverCert}`,
      `--ssl-key=${serverKey}`,
      '--require-secure-transport=ON',
    ],
  });
  for (const { url, username } of [secured, maria]) {
    const auth = { username, passwordFile: secret.path };
    const read = (rest: object) => testSource({ type: 'sql', url, auth, query: 'SELECT 7', ...rest }).read();
    assert.equal(totalOf(await read({ tls: { ca } })).value, 7, url);
    const untrusted = failureOf(await read({ tls: {} }));
    assert.equal(untrusted.code, 'unreachable', JSON.stringify(untrusted));
    assert.match(untrusted.message, /TLS failed/);
  }
  const plain = { url: maria.url, auth: { username: maria.username, passwordFile: secret.path } };
  assert.equal(failureOf(await testSource({ type: 'sql', query: 'SELECT 7', ...plain }).read()).ok, false);
});

async function groupOf(name: string): Promise<number> {
  return Number(await runProcess('id', ['-g', name]));
}

// What the coordinator needs besides HAProxy: its database, and itself.
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kysely, sql } from 'kysely';
import { describeError, isBerthError } from '../../../shared/errors.ts';
import { healthSchema } from '../../api/schemas.ts';
import type { Config } from '../../config/read-config.ts';
import { prepareDialect } from '../../store/dialects.ts';
import type { Tables } from '../../store/tables.ts';
import type { ApiClient } from '../api-client.ts';
import { broken, doubtful, type Finding, fine } from './finding.ts';

const leastFreeBytes = 100 * 1024 * 1024;
const databaseMs = 5000;
const healthMs = 3000;

/** Changes nothing: a database file that is not there yet is not made. */
export async function checkDatabase({ database }: Pick<Config, 'database'>): Promise<Finding> {
  const check = `database ${database.name}`;
  if (database.kind === 'sqlite' && database.path !== ':memory:') {
    const folder = dirname(database.path);
    const user = process.getuid?.() ?? 'this user';
    try {
      accessSync(folder, constants.W_OK);
    } catch (error) {
      const mend = `make ${folder}, writable for user ${user}, or set BERTH_DATABASE=sqlite:./berth.db`;
      return broken(check, `${folder} cannot be written: ${describeError(error)}`, mend);
    }
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    if (free < leastFreeBytes) {
      return doubtful(
        check,
        `${Math.floor(free / 1024 / 1024)} MB are free in ${folder}`,
        'make room: audit rows wait in memory when nothing can be written',
      );
    }
    if (!existsSync(database.path)) return fine(check, 'not there yet; its folder can be written');
  }
  try {
    const isThere = await writeNothing(database);
    return fine(
      check,
      isThere ? 'can be written' : 'answers; its tables are made by the first coordinator that starts',
    );
  } catch (error) {
    const locked = /locked/.test(describeError(error));
    const mend = locked
      ? 'end the program that holds it: the coordinator goes on meanwhile, audit rows wait in its journal'
      : 'check BERTH_DATABASE, and that the server runs and lets this user in';
    return broken(check, describeError(error), mend);
  }
}

/** Deletes no row of a table: a server that takes no writes, or none of this user, refuses even that. False: there is no table. */
async function writeNothing(database: Config['database']): Promise<boolean> {
  const db = new Kysely<Tables>({ dialect: (await prepareDialect(database))() });
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${databaseMs} ms`)), databaseMs);
  const work = db
    .transaction()
    .execute((transaction) => sql`delete from agents where 1 = 0`.execute(transaction))
    .then(
      () => true,
      (error: unknown) => {
        if (/no such table|does not exist|doesn't exist/.test(describeError(error))) return false;
        throw error;
      },
    );
  try {
    const isThere = await Promise.race([work, late.promise]);
    await db.destroy();
    return isThere;
  } finally {
    clearTimeout(timer);
  }
}

export async function checkCoordinator(api: ApiClient): Promise<Finding[]> {
  const check = `coordinator ${api.url}`;
  try {
    const response = await api.fetch('/readyz', healthMs);
    const parsed = healthSchema.safeParse(await response.json().catch(() => undefined));
    if (!parsed.success)
      return [doubtful(check, 'something else answers there', 'give its address with --url or BERTH_URL')];
    const failed = parsed.data.checks.filter(({ status }) => status === 'failed');
    const findings = failed.map(({ name, reason }) =>
      doubtful(`${check}: ${name}`, reason, 'see the log of the coordinator'),
    );
    const allowed = await api.fetch('/api/v1/haproxys', healthMs);
    await allowed.body?.cancel();
    if (allowed.status === 401) {
      findings.push(
        broken(
          `${check}: token`,
          'it wants another token',
          'set BERTH_TOKEN to the same value for the coordinator, the agents and here',
        ),
      );
    }
    return findings.length > 0 ? findings : [fine(check, 'ready')];
  } catch (error) {
    const seen = isBerthError(error) ? error.message : describeError(error);
    return [
      doubtful(
        check,
        seen,
        'start it, or give its address with --url or BERTH_URL; until then agents look after their slots alone',
      ),
    ];
  }
}

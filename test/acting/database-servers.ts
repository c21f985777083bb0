// The three databases, real, and the ways in which each of them can be away for a while.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { startMariadb } from '../bench/mariadb.ts';
import { startPostgres } from '../bench/postgres.ts';
import { type Running, runProcess, startProcess } from '../bench/processes.ts';

export interface Outage {
  begin(): Promise<void> | void;
  end(): Promise<void> | void;
  /** Whether the journal has room meanwhile: then no row is lost with the coordinator. */
  journals: boolean;
}

export interface DatabaseServer extends AsyncDisposable {
  url: string;
  journal: string;
  outages: Readonly<Record<string, Outage>>;
}

const remove = (folder: string) => rm(folder, { recursive: true, force: true });

/** What these commit must survive the kill of the server, as it does with their own defaults. */
async function networked(
  start: () => Promise<
    Pick<
      Awaited<ReturnType<typeof startMariadb>>,
      'urlWithPassword' | 'kill' | 'start' | 'freeze' | 'thaw' | 'stop'
    >
  >,
): Promise<DatabaseServer> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-journal-'));
  const server = await start();
  return {
    url: server.urlWithPassword,
    journal: join(folder, 'audit-journal.jsonl'),
    outages: {
      hangs: { begin: server.freeze, end: server.thaw, journals: true },
      'is killed': { begin: () => server.kill(), end: server.start, journals: true },
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await remove(folder);
    },
  };
}

/** On a disk of its own, so that it can be filled up, with the journal beside it. */
async function sqlite(): Promise<DatabaseServer> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-sqlite-'));
  await runProcess('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]);
  const path = join(folder, 'berth.db');
  const filler = join(folder, 'filler');
  let holder: Running | undefined;
  return {
    url: `sqlite:${path}`,
    journal: join(folder, 'audit-journal.jsonl'),
    outages: {
      'is locked by another process': {
        begin: async () => {
          const text = `
            const { DatabaseSync } = require('node:sqlite');
            const database = new DatabaseSync(process.argv[1], { timeout: 10000 });
            database.exec('begin exclusive');
            console.log('locked');
            setInterval(() => {}, 1000);`;
          holder = await startProcess(process.execPath, ['-e', text, path], { name: 'a holder of the lock' });
          await holder.waitForLine(/^locked$/, 20_000);
        },
        end: async () => {
          await holder?.killAll();
        },
        journals: true,
      },
      'has no room on its disk': {
        begin: async () => {
          // Its write-ahead log would otherwise be written over, which takes no room.
          const database = new DatabaseSync(path, { timeout: 10_000 });
          database.exec('pragma wal_checkpoint(truncate)');
          database.close();
          await fill(filler);
        },
        end: () => rm(filler),
        journals: false,
      },
    },
    [Symbol.asyncDispose]: async () => {
      await holder?.killAll();
      await runProcess('umount', ['-l', folder]);
      await remove(folder);
    },
  };
}

/** Writes until not a byte more goes in. */
async function fill(path: string): Promise<void> {
  for (const size of [1024 * 1024, 4096, 1]) {
    for (let full = false; !full; ) {
      await writeFile(path, randomBytes(size), { flag: 'a' }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOSPC') throw error;
        full = true;
      });
    }
  }
}

const networkOutages = ['hangs', 'is killed'];

/** How to start each, and the names of its outages. */
export const databaseServers: Readonly<
  Record<string, { start: () => Promise<DatabaseServer>; outages: readonly string[] }>
> = {
  SQLite: { start: sqlite, outages: ['is locked by another process', 'has no room on its disk'] },
  MariaDB: {
    start: () => networked(() => startMariadb({ args: ['--innodb-flush-log-at-trx-commit=1'] })),
    outages: networkOutages,
  },
  PostgreSQL: {
    start: () => networked(() => startPostgres({ args: ['-c', 'synchronous_commit=on'] })),
    outages: networkOutages,
  },
};

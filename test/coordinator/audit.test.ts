import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { Audit } from '../../coordinator/audit/audit.ts';
import type { AuditEntry, AuditRow } from '../../coordinator/audit/audit-entry.ts';
import { AuditJournal } from '../../coordinator/audit/audit-journal.ts';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore, type Store } from '../../coordinator/store/store.ts';
import { systemClock } from '../../shared/clock.ts';
import { isBerthError } from '../../shared/errors.ts';
import { eventually } from './eventually.ts';
import { memoryLog } from './memory-log.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'berth-audit-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface Parts {
  audit: Audit;
  store: Store;
  log: ReturnType<typeof memoryLog>;
}

async function openAudit(
  t: TestContext,
  database: string,
  journal: string,
  queueLimit = 50_000,
): Promise<Parts> {
  const store = await openStore(parseDatabaseUrl(`sqlite:${database}`));
  const log = memoryLog();
  const audit = new Audit({ store, journal: new AuditJournal(journal), log, clock: systemClock, queueLimit });
  await audit.open();
  t.after(async () => {
    await audit.close(100);
    await store.close();
  });
  return { audit, store, log };
}

function entry(value: number, more: Partial<AuditEntry> = {}): AuditEntry {
  return { event: 'slot.repaired', actor: 'coordinator', outcome: 'ok', reason: 'test', value, ...more };
}

async function allRows(audit: Audit): Promise<AuditRow[]> {
  const rows: AuditRow[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await audit.query({}, cursor, 500, 'asc');
    rows.push(...page.items);
    if (page.next === undefined) return rows;
    cursor = page.next;
  }
}

const values = (rows: readonly AuditRow[]) => rows.map((row) => row.value);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('the audit', () => {
  it('keeps every column, in the order of recording', async (t) => {
    const path = folder(t);
    const { audit } = await openAudit(t, join(path, 'berth.db'), join(path, 'journal.jsonl'));
    const full: AuditEntry = {
      event: 'scale.decided',
      actor: 'coordinator',
      reason: 'queue above target',
      outcome: 'held',
      at: 1_700_000_000_000,
      agent: 'a1',
      container: 'c1',
      host: 'h1',
      service: 'web',
      haproxy: 'lb1:9999',
      backend: 'app',
      slot: 'node7',
      policy: 'web',
      metric: 'queue',
      value: 1.5,
      from: 2,
      to: '4',
      alert: 'high',
      details: { inputs: [1, 2] },
    };
    await audit.record(full);
    await Promise.all(upTo(250).map((value) => audit.record(entry(value))));
    const [first, ...rest] = await allRows(audit);
    assert.deepEqual({ ...first, id: '' }, { ...full, id: '', from: '2' });
    assert.deepEqual(values(rest), upTo(250));
  });

  it('pages with a cursor and filters', async (t) => {
    const path = folder(t);
    const { audit } = await openAudit(t, join(path, 'berth.db'), join(path, 'journal.jsonl'));
    for (const value of upTo(10)) {
      audit.record(
        entry(value, {
          at: 1000 + value,
          slot: `node${value % 2}`,
          event: value < 5 ? 'slot.claimed' : 'agent.lost',
        }),
      );
    }
    await audit.flush();
    const first = await audit.query({ slot: 'node1' }, undefined, 2);
    assert.deepEqual(values(first.items), [9, 7]);
    const second = await audit.query({ slot: 'node1' }, first.next, 3);
    assert.deepEqual(values(second.items), [5, 3, 1]);
    assert.equal(second.next, undefined);
    assert.deepEqual(values((await audit.query({ event: 'slot.*' }, undefined, 100)).items), [4, 3, 2, 1, 0]);
    assert.deepEqual((await audit.query({ event: 's_ot%*' }, undefined, 100)).items, []);
    assert.deepEqual(
      values((await audit.query({ event: 'agent.lost', since: 1006, until: 1008 }, undefined, 100)).items),
      [7, 6],
    );
  });

  it('deletes what is older than its keeping time', async (t) => {
    const path = folder(t);
    const { audit } = await openAudit(t, join(path, 'berth.db'), join(path, 'journal.jsonl'));
    for (const value of upTo(2500)) audit.record(entry(value, { at: value }));
    await audit.flush();
    assert.equal(await audit.deleteBefore(2400, new AbortController().signal), 2400);
    assert.equal((await allRows(audit)).length, 100);
  });

  it('loses no acknowledged row and doubles none when its process is killed with SIGKILL', async (t) => {
    const path = folder(t);
    const database = join(path, 'berth.db');
    const journal = join(path, 'journal.jsonl');
    let acknowledged = 0;
    for (const round of upTo(3)) {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'audit-writer-process.ts'), database, journal],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      t.after(() => child.kill('SIGKILL'));
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.split('\n').length > 300 * (round + 1)) child.kill('SIGKILL');
      });
      await new Promise((resolve) => child.once('close', resolve));
      assert.equal(child.signalCode, 'SIGKILL');
      const whole = output.slice(0, output.lastIndexOf('\n')).split('\n');
      acknowledged += whole.length;
      const { audit, store } = await openAudit(t, database, journal);
      const rows = await allRows(audit);
      const numbers = rows.map((row) => row.value ?? -1);
      const lastRun = numbers.slice(numbers.lastIndexOf(0));
      assert.deepEqual(lastRun, upTo(lastRun.length));
      assert.ok(lastRun.length >= whole.length, `${whole.length} acknowledged, ${lastRun.length} kept`);
      assert.ok(rows.length >= acknowledged);
      await audit.close();
      await store.close();
    }
  });

  it('goes on through a locked database: rows wait in the journal, in order, and arrive once', async (t) => {
    const path = folder(t);
    const database = join(path, 'berth.db');
    const { audit, store, log } = await openAudit(t, database, join(path, 'journal.jsonl'));
    await audit.record(entry(0));
    const other = new DatabaseSync(database);
    t.after(() => other.close());
    other.exec('begin exclusive');
    for (const value of upTo(200)) audit.record(entry(value + 1));
    await audit.record(entry(201));
    assert.match(audit.status().reason ?? '', /locked/);
    assert.ok(audit.status().journalledBytes > 0);
    assert.match(store.failure?.reason ?? '', /locked/);
    other.exec('rollback');
    audit.record(entry(202));
    await eventually(
      'the journal is empty',
      () => audit.status().journalledBytes === 0 && audit.status().queued === 0,
    );
    assert.deepEqual(values(await allRows(audit)), upTo(203));
    assert.equal(store.failure, undefined);
    assert.ok(log.lines.some((line) => line.fields['event'] === 'audit.held'));
    assert.ok(log.lines.some((line) => line.fields['event'] === 'audit.resumed'));
  });

  it('goes on with a full database (max_page_count) and writes the rows when there is room', async (t) => {
    const path = folder(t);
    const { audit, store } = await openAudit(t, join(path, 'berth.db'), join(path, 'journal.jsonl'));
    await store.probe();
    const limit = async (pages: number) => {
      await store.use(async (db) => {
        const { CompiledQuery } = await import('kysely');
        await db.executeQuery(CompiledQuery.raw(`pragma max_page_count = ${pages}`));
      });
    };
    await limit(1);
    for (const value of upTo(500)) audit.record(entry(value));
    await audit.flush();
    assert.match(audit.status().reason ?? '', /full/);
    await limit(1_000_000);
    await eventually('the journal is empty', () => audit.status().journalledBytes === 0);
    assert.deepEqual(values(await allRows(audit)), upTo(500));
  });

  it('holds rows in memory while the disk under database and journal is full, refuses past its bound, and says so', async (t) => {
    const path = mkdtempSync(join(tmpdir(), 'berth-audit-'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path]);
    assert.equal(mounted.status, 0, `this test needs root, to mount a small tmpfs: ${mounted.stderr}`);
    const { audit } = await openAudit(t, join(path, 'berth.db'), join(path, 'journal.jsonl'), 100);
    t.after(() => {
      spawnSync('umount', [path]);
      rmSync(path, { recursive: true });
    });
    await audit.record(entry(0));
    const filler = join(path, 'filler');
    fill(filler);
    const kept: Promise<void>[] = [];
    const refused: unknown[] = [];
    for (const value of upTo(150)) {
      kept.push(
        audit
          .record(entry(value + 1, { details: { padding: 'x'.repeat(500) } }))
          .catch((error) => void refused.push(error)),
      );
    }
    await eventually('rows are refused', () => refused.length === 50);
    assert.ok(refused.every((error) => isBerthError(error, 'database.unavailable')));
    assert.equal(audit.status().lost, 50);
    await eventually('rows wait', () => audit.status().reason !== undefined);
    rmSync(filler);
    await Promise.all(kept);
    await eventually('the row about what is missing', async () =>
      (await allRows(audit)).some((row) => row.event === 'audit.lost'),
    );
    await eventually('nothing waits', () => audit.status().journalledBytes === 0);
    const rows = await allRows(audit);
    assert.deepEqual(values(rows.filter((row) => row.event !== 'audit.lost')), upTo(101));
    assert.deepEqual(
      rows.filter((row) => row.event === 'audit.lost').map((row) => row.details),
      [{ rows: 50 }],
    );
  });

  it('takes up what an earlier run left in the journal, without its torn last line, and what the database has already', async (t) => {
    const path = folder(t);
    const journal = join(path, 'data', 'journal.jsonl');
    const locked = join(path, 'locked.db');
    const first = await openAudit(t, locked, journal);
    await first.audit.record(entry(0));
    const other = new DatabaseSync(locked);
    t.after(() => other.close());
    other.exec('begin exclusive');
    for (const value of upTo(20)) first.audit.record(entry(value + 1));
    await first.audit.close();
    other.exec('rollback');
    const left = readFileSync(journal);
    appendFileSync(journal, '{"id":"torn","at":1');
    const second = await openAudit(t, locked, journal);
    await eventually('the journal is empty', () => statSync(journal).size === 0);
    assert.deepEqual(values(await allRows(second.audit)), upTo(21));
    await second.audit.close();
    // The crash between the database's commit and the emptying of the journal.
    writeFileSync(journal, left);
    const third = await openAudit(t, locked, journal);
    await eventually('the journal is empty', () => statSync(journal).size === 0);
    assert.deepEqual(values(await allRows(third.audit)), upTo(21));
  });

  it('works without a usable database from the start, and finds it when it comes', async (t) => {
    const path = folder(t);
    const database = join(path, 'later', 'berth.db');
    writeFileSync(dirname(database), 'a file where the folder should be');
    const { audit } = await openAudit(t, database, join(path, 'journal.jsonl'));
    for (const value of upTo(5)) await audit.record(entry(value));
    rmSync(dirname(database));
    mkdirSync(dirname(database));
    await eventually('the journal is empty', () => audit.status().journalledBytes === 0);
    assert.deepEqual(values(await allRows(audit)), upTo(5));
  });

  it('takes what is no time for now, and a listener that fails stops nothing', async (t) => {
    const path = folder(t);
    const { audit, log } = await openAudit(t, join(path, 'berth.db'), join(path, 'journal.jsonl'));
    audit.onRow(() => {
      throw new Error('a fault');
    });
    const heard: number[] = [];
    audit.onRow(({ at }) => heard.push(at));
    const began = Date.now();
    for (const at of [-1e17, 1e20, Number.NaN, Number.POSITIVE_INFINITY])
      await audit.record(entry(0, { at }));
    const rows = await allRows(audit);
    assert.deepEqual(
      rows.map(({ at }) => at),
      heard,
    );
    assert.ok(heard.length === 4 && heard.every((at) => at >= began && at <= Date.now()), String(heard));
    assert.equal(log.lines.filter(({ fields }) => fields['event'] === 'audit.unheard').length, 4);
  });

  it('stores what no column could take as it is: too long, NUL, not a number', async (t) => {
    const path = folder(t);
    const { audit } = await openAudit(t, join(path, 'berth.db'), join(path, 'journal.jsonl'));
    await audit.record(
      entry(Number.NaN, {
        reason: 'r'.repeat(100_000),
        slot: 'a\0b',
        details: { text: 'd'.repeat(100_000) },
      }),
    );
    const [row] = await allRows(audit);
    assert.equal(row?.value, null);
    assert.equal(row?.reason.length, 16_000);
    assert.equal(row?.slot, 'ab');
    assert.ok(row?.details !== null && row?.details !== undefined && 'clipped' in row.details);
  });
});

function fill(path: string): void {
  for (let size = 64 * 1024; size >= 1; size = Math.floor(size / 2)) {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(size));
    } catch {
      // full for this size: try a smaller one
    }
  }
}

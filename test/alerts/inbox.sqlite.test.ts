import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { isBerthError } from '../../shared/errors.ts';
import { allRows, firing, inboxSuite, openInbox } from './inbox-suite.ts';
import { sampleTime } from './samples.ts';

function freshDatabase(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'berth-alerts-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return `sqlite:${join(folder, 'berth.db')}`;
}

inboxSuite('SQLite', freshDatabase);

describe('the inbox while the database is away', () => {
  it('lets alerts act from memory, writes them later, and refuses clearly when too many wait', async (t) => {
    const url = freshDatabase(t);
    const { inbox, clock } = await openInbox(t, url, { waitingLimit: 3 });
    await inbox.accept([firing('a', sampleTime)], 'alertmanager');
    const other = new DatabaseSync(url.slice('sqlite:'.length));
    t.after(() => other.close());
    other.exec('begin exclusive');
    const outcomes = await inbox.accept([firing('b', sampleTime), firing('c', sampleTime)], 'alertmanager');
    assert.deepEqual(
      outcomes.map(({ state, stored }) => [state, stored]),
      [
        ['unprocessed', false],
        ['unprocessed', false],
      ],
    );
    assert.equal(inbox.active('web').length, 3);
    assert.deepEqual([inbox.status().waiting, /lock|busy/i.test(inbox.status().reason ?? '')], [2, true]);
    await inbox.accept([firing('d', sampleTime)], 'alertmanager');
    const full = inbox.accept([firing('e', sampleTime)], 'alertmanager');
    await assert.rejects(full, (error) => isBerthError(error, 'database.unavailable'));
    assert.equal(inbox.active('web').length, 4, 'nothing of what was refused acts');
    other.exec('rollback');
    clock.advance(60_000);
    const [last] = await inbox.accept([firing('e', sampleTime)], 'alertmanager');
    assert.equal(last?.stored, true);
    assert.equal((await allRows(inbox)).length, 5);
  });
});

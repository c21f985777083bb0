import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { signatureHeader, verifySignature } from '../../coordinator/alerts/signature.ts';
import { Audit } from '../../coordinator/audit/audit.ts';
import { AuditJournal } from '../../coordinator/audit/audit-journal.ts';
import { noticeTargetSchema } from '../../coordinator/notices/notice-target.ts';
import { Notifier } from '../../coordinator/notices/notifier.ts';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore } from '../../coordinator/store/store.ts';
import { type Clock, systemClock } from '../../shared/clock.ts';
import { freePort, until } from '../bench/wait.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { type CaptureServer, captureServer, pathSecret, secretFile } from './capture-server.ts';
import { row } from './rows.ts';

/** Pauses pass at once, a thousand times as fast; the deadlines of requests stay real. */
const fastClock: Clock = {
  ...systemClock,
  monotonic: () => systemClock.monotonic() * 1000,
  sleep: (ms, signal) => systemClock.sleep(ms / 1000, signal),
};

function open(t: TestContext, targets: object[], options: { clock?: Clock; timeoutMs?: number } = {}) {
  const log = memoryLog();
  const { clock = fastClock, timeoutMs = 500_000 } = options;
  const parsed = targets.map((target, index) =>
    noticeTargetSchema.parse({ name: `t${index}`, events: ['*'], ...target }),
  );
  const notifier = new Notifier({ targets: parsed, clock, log, timeoutMs });
  t.after(() => notifier.close(100));
  return { notifier, log };
}

const bodies = ({ captured }: CaptureServer) => captured.map(({ text }) => JSON.parse(text));
/** How many rows all messages together tell of. */
const told = (server: CaptureServer) =>
  bodies(server).reduce(
    (sum, { rows, more }) =>
      sum + rows.length + more.reduce((inner: number, { count }: { count: number }) => inner + count, 0),
    0,
  );

describe('notices', () => {
  it('reach each of the chats from a row of the audit', async (t) => {
    const servers = await Promise.all([
      captureServer(t),
      captureServer(t),
      captureServer(t),
      captureServer(t),
    ]);
    const kinds = ['mattermost', 'slack', 'teams', 'webhook'];
    const { notifier } = open(
      t,
      servers.map(({ urlFile }, index) => ({ kind: kinds[index], urlFile })),
    );
    const store = await openStore(parseDatabaseUrl('sqlite::memory:'));
    const journal = new AuditJournal(secretFile(t, ''));
    const audit = new Audit({ store, journal, log: memoryLog(), clock: systemClock });
    t.after(async () => {
      await audit.close(100);
      await store.close();
    });
    audit.onRow((recorded) => notifier.notify(recorded));
    await audit.record({
      event: 'scale.decided',
      actor: 'coordinator',
      outcome: 'ok',
      reason: 'busy',
      service: 'web',
    });
    await until(() => servers.every(({ captured }) => captured.length === 1), {
      what: 'each has its message',
    });
    for (const { captured } of servers) {
      assert.match(captured[0]?.text ?? '', /scale\.decided/);
      assert.equal(captured[0]?.headers['content-type'], 'application/json');
    }
    await until(() => notifier.status().every(({ sent }) => sent === 1), { what: 'it is counted' });
  });

  it('put what happens together into one message, and what is more into counts', async (t) => {
    const server = await captureServer(t);
    const { notifier } = open(t, [{ kind: 'webhook', urlFile: server.urlFile, perMinute: 1 }], {
      clock: systemClock,
    });
    for (let index = 0; index < 10_000; index += 1)
      notifier.notify(row({ event: `slot.${index % 2 === 0 ? 'a' : 'b'}` }));
    await until(() => server.captured.length === 1, { what: 'the first message' });
    assert.equal(told(server), 10_000);
    const [body] = bodies(server);
    assert.equal(body.rows.length, 8);
    assert.deepEqual(
      body.more.map(({ event, count }: { event: string; count: number }) => [event, count]),
      [
        ['slot.a', 4996],
        ['slot.b', 4996],
      ],
    );
    // The rate is used up: what comes now waits, and is told when the notifier closes.
    for (let index = 0; index < 20; index += 1) notifier.notify(row());
    assert.equal(notifier.status()[0]?.waiting, 20);
    await notifier.close();
    assert.equal(told(server), 10_020);
    assert.equal(server.captured.length, 2);
  });

  it('are tried again after a 500 and a 429, which says for how long to wait', async (t) => {
    const server = await captureServer(t);
    server.answers.splice(0, 1, 500, { status: 429, headers: { 'retry-after': '2' } }, 503, 200);
    const { notifier, log } = open(t, [{ kind: 'webhook', urlFile: server.urlFile }]);
    notifier.notify(row());
    await until(() => server.captured.length === 1, { what: 'it is delivered' });
    assert.equal(server.requests(), 4);
    assert.equal(told(server), 1);
    assert.deepEqual(log.lines, []);
  });

  it('that are given up are counted in the next message, and said once in the log without the URL', async (t) => {
    const server = await captureServer(t);
    server.answers.splice(0, 1, 404);
    const { notifier, log } = open(t, [{ kind: 'webhook', urlFile: server.urlFile, perMinute: 600 }]);
    for (let index = 0; index < 5; index += 1) notifier.notify(row());
    await until(() => server.requests() >= 3, { what: 'it was tried with three messages' });
    notifier.notify(row());
    server.answers.splice(0, 1, 200);
    await until(() => told(server) === 6, { what: 'all are told' });
    assert.deepEqual(
      log.lines.map(({ fields }) => [fields['event'], fields['reason']]),
      [
        ['notice.failed', 'it answered 404'],
        ['notice.resumed', undefined],
      ],
    );
    assert.doesNotMatch(JSON.stringify(log.lines), new RegExp(pathSecret));
  });

  it('wait for nobody: a slow, a dead and a failing target do not hold up the others or the caller', async (t) => {
    const [slow, failing, good] = await Promise.all([captureServer(t), captureServer(t), captureServer(t)]);
    slow.answers.splice(0, 1, 'never');
    failing.answers.splice(0, 1, 500);
    const dead = secretFile(t, `http://127.0.0.1:${await freePort()}/hooks/${pathSecret}`);
    const wrong = secretFile(t, 'not a url');
    const urlFiles = [slow.urlFile, failing.urlFile, dead, wrong, '/nowhere/url', good.urlFile];
    const { notifier, log } = open(
      t,
      urlFiles.map((urlFile) => ({ kind: 'webhook', urlFile, perMinute: 600 })),
      { timeoutMs: 100_000 },
    );
    for (let index = 0; index < 1000; index += 1) notifier.notify(row());
    await until(() => told(good) === 1000, { what: 'the good one has all' });
    const reasons = () => notifier.status().map(({ reason }) => reason);
    await until(
      () =>
        reasons()
          .slice(0, 5)
          .every((reason) => reason !== undefined),
      { what: 'the others have failed' },
    );
    assert.deepEqual(reasons(), [
      'no answer in time',
      'it answered 500',
      'it cannot be reached (ECONNREFUSED)',
      `${wrong} holds no http or https URL`,
      'cannot read /nowhere/url: ENOENT',
      undefined,
    ]);
    for (const { waiting } of notifier.status().slice(0, 5)) assert.ok(waiting <= 1000);
    assert.doesNotMatch(JSON.stringify(log.lines), new RegExp(pathSecret));
  });

  it('end with the notifier within its deadline, whatever the target does', async (t) => {
    const server = await captureServer(t);
    server.answers.splice(0, 1, 'never');
    const { notifier } = open(t, [{ kind: 'webhook', urlFile: server.urlFile }], { clock: systemClock });
    notifier.notify(row());
    await until(() => server.requests() === 1, { what: 'a request hangs' });
    await notifier.close(50);
    notifier.notify(row());
    assert.equal(notifier.status()[0]?.waiting, 1, 'nothing is taken after the end');
  });

  it('follow no redirect, which would take the secret path elsewhere', async (t) => {
    const [server, other] = await Promise.all([captureServer(t), captureServer(t)]);
    server.answers.splice(0, 1, { status: 307, headers: { location: other.url } });
    const { notifier } = open(t, [{ kind: 'slack', urlFile: server.urlFile }]);
    notifier.notify(row());
    await until(() => notifier.status()[0]?.reason !== undefined, { what: 'it has failed' });
    assert.equal(notifier.status()[0]?.reason, 'it answered 307');
    assert.equal(other.requests(), 0);
  });

  it('use a new URL and secret as soon as the files have them, and are signed', async (t) => {
    const [server, next] = await Promise.all([captureServer(t), captureServer(t)]);
    const secret = secretFile(t, 'first');
    const { notifier } = open(t, [
      { kind: 'webhook', urlFile: server.urlFile, secretFile: secret, perMinute: 600 },
    ]);
    const signedBy = (by: string, { captured }: CaptureServer) => {
      const [{ headers, text } = { headers: {}, text: '' }] = captured;
      const header = headers[signatureHeader];
      return verifySignature({
        header: typeof header === 'string' ? header : undefined,
        body: text,
        secrets: [by],
        nowWall: Date.now(),
      });
    };
    notifier.notify(row());
    await until(() => server.captured.length === 1, { what: 'the first message' });
    assert.equal(signedBy('first', server).ok, true);
    writeFileSync(server.urlFile, next.url);
    writeFileSync(secret, 'second');
    notifier.notify(row());
    await until(() => next.captured.length === 1, { what: 'the second message' });
    assert.equal(signedBy('second', next).ok, true);
    assert.equal(signedBy('first', next).ok, false);
  });
});

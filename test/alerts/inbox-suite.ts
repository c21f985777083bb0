// What the inbox promises, on any of the databases: call it with the way to a fresh, empty one.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { AlertInbox, type AlertInboxOptions, type Outcome } from '../../coordinator/alerts/alert-inbox.ts';
import type { InboxRow } from '../../coordinator/alerts/inbox-row.ts';
import { readDocuments } from '../../coordinator/alerts/read-documents.ts';
import type { AuditEntry } from '../../coordinator/audit/audit-entry.ts';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore, type Store } from '../../coordinator/store/store.ts';
import { isBerthError } from '../../shared/errors.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { HandClock } from './hand-clock.ts';
import { expected, sampleBytes, sampleFiles, sampleTime } from './samples.ts';

const minute = 60_000;
const hour = 60 * minute;

export interface Parts {
  inbox: AlertInbox;
  store: Store;
  clock: HandClock;
  told: AuditEntry[];
}

export async function openInbox(
  t: TestContext,
  url: string,
  options: Partial<AlertInboxOptions> & { clock?: HandClock } = {},
): Promise<Parts> {
  const store = await openStore(parseDatabaseUrl(url));
  t.after(() => store.close());
  const clock = options.clock ?? new HandClock(sampleTime);
  const told: AuditEntry[] = [];
  const record = (entry: AuditEntry) => void told.push(entry);
  const inbox = new AlertInbox({ store, log: memoryLog(), record, ...options, clock });
  return { inbox, store, clock, told };
}

export async function allRows(inbox: AlertInbox): Promise<InboxRow[]> {
  const rows: InboxRow[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await inbox.list({}, cursor, 700);
    rows.push(...page.items);
    if (page.next === undefined) return rows;
    cursor = page.next;
  }
}

export function firing(fingerprint: string, startsAt: string, more: Record<string, string> = {}) {
  const labels = { alertname: 'Load', service: 'web', berth_direction: 'up', ...more };
  return { status: 'firing', labels, annotations: {}, startsAt, endsAt: '0001-01-01T00:00:00Z', fingerprint };
}

function resolved(fingerprint: string, startsAt: string) {
  return { ...firing(fingerprint, startsAt), status: 'resolved', endsAt: sampleTime };
}

const states = (outcomes: readonly Outcome[]) => outcomes.map(({ state }) => state);
const shifted = (ms: number) => new Date(Date.parse(sampleTime) + ms).toISOString();

export function inboxSuite(name: string, freshDatabase: (t: TestContext) => Promise<string> | string): void {
  describe(`the inbox on ${name}`, () => {
    it('has an expectation for each sample', () => {
      assert.deepEqual(sampleFiles, Object.keys(expected).sort());
    });

    for (const [file, wanted] of Object.entries(expected)) {
      it(`takes ${file} from bytes to a row and to what it asks for`, async (t) => {
        const { inbox } = await openInbox(t, await freshDatabase(t));
        const outcomes = await inbox.accept(readDocuments(wanted.dialect, sampleBytes(file)), wanted.dialect);
        assert.deepEqual(
          outcomes.map(({ problems }) => problems),
          wanted.rows.map(() => []),
        );
        const rows = await allRows(inbox);
        const shown = rows.map(({ name: rule, status, action, service }) => ({
          name: rule,
          status,
          action,
          service,
        }));
        const sorted = (list: object[]) => list.map((item) => JSON.stringify(item)).sort();
        assert.deepEqual(sorted(shown), sorted(wanted.rows));
        for (const [service, demands] of Object.entries(wanted.demands ?? {})) {
          const asked = inbox.demands(service);
          assert.equal(asked.length, demands.length);
          for (const [index, demand] of demands.entries())
            assert.partialDeepStrictEqual(asked[index], demand);
        }
        for (const [service, steps] of Object.entries(wanted.steps)) {
          const named = /^names (.*)$/.exec(service)?.[1];
          const weights = named === undefined ? {} : { byName: { [named]: 2 } };
          assert.deepEqual(
            inbox.active(service, weights).map(({ step }) => step),
            steps,
            service,
          );
        }
      });
    }

    it('acts once on the same alert sent a hundred times, in one row', async (t) => {
      const { inbox, clock, told } = await openInbox(t, await freshDatabase(t));
      for (let round = 0; round < 10; round += 1) {
        await inbox.accept(
          Array.from({ length: 10 }, () => firing('a', sampleTime)),
          'alertmanager',
        );
        clock.advance(1000);
      }
      assert.equal(inbox.active('web').length, 1);
      const rows = await allRows(inbox);
      assert.deepEqual(
        rows.map(({ status, state, repeats, heardAt }) => ({ status, state, repeats, heardAt })),
        [{ status: 'firing', state: 'unprocessed', repeats: 99, heardAt: Date.parse(sampleTime) + 9000 }],
      );
      assert.deepEqual(
        told.map(({ event, service, alert }) => ({ event, service, alert })),
        [{ event: 'alert.fired', service: 'web', alert: 'Load' }],
      );
    });

    it('gives ages since the alert was last heard, and the step that policy, direction or alert say', async (t) => {
      const { inbox, clock } = await openInbox(t, await freshDatabase(t));
      const alert = { rule_name: 'cpu', service: 'web', action: 'scale_down', severity: 'critical' };
      await inbox.accept([alert], 'elastalert');
      clock.advance(5000);
      const [plain] = inbox.active('web');
      assert.deepEqual(plain, {
        fingerprint: plain?.fingerprint,
        firing: inbox.row(plain?.fingerprint ?? '')?.id,
        name: 'cpu',
        severity: 'critical',
        ageMs: 5000,
        step: -1,
      });
      const steps = (weights: Parameters<typeof inbox.active>[1]) =>
        inbox.active('web', weights).map(({ step }) => step);
      assert.deepEqual(steps({ down: 2 }), [-2]);
      assert.deepEqual(steps({ bySeverity: { critical: 3 } }), [-3]);
      assert.deepEqual(steps({ byName: { cpu: 4 }, bySeverity: { critical: 3 } }), [-4]);
      await inbox.accept([{ ...alert, autoscale_step: 5 }], 'elastalert');
      assert.deepEqual(steps({ byName: { cpu: 4 } }), [-5]);
      assert.deepEqual(inbox.active('other'), []);
    });

    it('ends an alert on its resolve, and marks what nothing took up until then', async (t) => {
      const { inbox, told } = await openInbox(t, await freshDatabase(t));
      await inbox.accept(
        [firing('a', sampleTime), firing('b', sampleTime, { service: 'shop' })],
        'alertmanager',
      );
      inbox.settle('alertmanager:a', 'processed', 'web 2 → 3');
      const outcomes = await inbox.accept(
        [resolved('a', sampleTime), resolved('b', sampleTime)],
        'alertmanager',
      );
      assert.deepEqual(states(outcomes), ['processed', 'processed']);
      assert.deepEqual([inbox.active('web'), inbox.active('shop')], [[], []]);
      const byName = (await allRows(inbox)).map(({ fingerprint, status, state, reason }) => ({
        fingerprint,
        status,
        state,
        reason,
      }));
      assert.deepEqual(
        byName.toSorted((x, y) => (x.fingerprint < y.fingerprint ? -1 : 1)),
        [
          { fingerprint: 'alertmanager:a', status: 'resolved', state: 'processed', reason: 'web 2 → 3' },
          {
            fingerprint: 'alertmanager:b',
            status: 'resolved',
            state: 'skipped',
            reason: 'it was over before anything took it up',
          },
        ],
      );
      assert.deepEqual(
        told.map(({ event }) => event),
        ['alert.fired', 'alert.fired', 'alert.resolved', 'alert.resolved'],
      );
    });

    it('is right whatever order messages come in', async (t) => {
      const { inbox, clock } = await openInbox(t, await freshDatabase(t));
      const send = async (document: object) => states(await inbox.accept([document], 'alertmanager'))[0];
      assert.equal(await send(resolved('a', shifted(-hour))), 'skipped', 'its firing comes later');
      assert.equal(await send(firing('a', shifted(-hour))), 'skipped', 'it was resolved before it came');
      assert.deepEqual(inbox.active('web'), []);
      assert.equal(await send(firing('a', shifted(-minute))), 'unprocessed', 'the next firing');
      assert.equal(await send(resolved('a', shifted(-hour))), 'skipped', 'a resolve of the firing before');
      assert.equal(await send(firing('a', shifted(-2 * hour))), 'skipped', 'an older firing');
      assert.equal(inbox.active('web').length, 1);
      assert.equal(await send(resolved('a', shifted(-minute))), 'processed');
      assert.equal(await send(resolved('a', shifted(-minute))), 'skipped', 'twice');
      assert.equal(await send(firing('a', shifted(-minute))), 'skipped', 'a replay');
      assert.deepEqual(inbox.active('web'), []);
      clock.advance(5 * minute);
      assert.equal(
        await send(firing('a', shifted(-minute))),
        'unprocessed',
        'believed after a group_interval',
      );
      assert.equal(inbox.active('web').length, 1);
    });

    it('ends an alert whose resolve got lost after its time to live, and not while it is repeated', async (t) => {
      const { inbox, clock, told } = await openInbox(t, await freshDatabase(t));
      const alert = { rule_name: 'cpu', action: 'scale_up', service: 'web' };
      await inbox.accept([alert], 'elastalert');
      for (let round = 0; round < 5; round += 1) {
        clock.advance(9 * minute);
        await inbox.accept([alert], 'elastalert');
        inbox.expire();
        assert.equal(inbox.active('web').length, 1);
      }
      // A machine whose clock is set does not end it; only time that has passed does.
      clock.setWall(Date.parse('2030-01-01T00:00:00Z'));
      assert.equal(inbox.active('web').length, 1);
      clock.advance(10 * minute);
      assert.deepEqual(inbox.active('web'), []);
      inbox.expire();
      const [row] = await allRows(inbox);
      assert.equal(row?.status, 'expired');
      assert.equal(row?.state, 'skipped');
      assert.equal(told.at(-1)?.event, 'alert.expired');
      await inbox.accept([alert], 'elastalert');
      assert.equal(inbox.active('web').length, 1, 'a new firing');
      assert.equal((await allRows(inbox)).length, 2);
    });

    it('skips a document that lay in a queue for longer than it lives', async (t) => {
      const { inbox } = await openInbox(t, await freshDatabase(t));
      const old = { rule_name: 'cpu', action: 'scale_up', service: 'web', alert_time: shifted(-hour) };
      const [outcome] = await inbox.accept([old], 'elastalert');
      assert.equal(outcome?.state, 'skipped');
      assert.match(outcome?.reason ?? '', /sent 60 min ago/);
      assert.deepEqual(inbox.active('web'), []);
    });

    it('lets no document of a batch stop another, and keeps what could not be read with its mend', async (t) => {
      const { inbox, told } = await openInbox(t, await freshDatabase(t));
      const good = (service: string) => ({ rule_name: 'cpu', action: 'scale_up', service });
      const outcomes = await inbox.accept(
        [
          good('a'),
          { rule_name: 'cpu', action: 'scale_upp', service: 'b' },
          'not json',
          null,
          17,
          [],
          good('c'),
        ],
        'elastalert',
      );
      assert.deepEqual(states(outcomes), [
        'unprocessed',
        'failed',
        'failed',
        'failed',
        'failed',
        'failed',
        'unprocessed',
      ]);
      assert.equal(inbox.active('a').length + inbox.active('c').length, 2);
      const failed = await inbox.list({ state: 'failed' }, undefined, 10);
      assert.equal(failed.items.length, 5);
      const unknown = failed.items.find(({ service }) => service === 'b');
      assert.match(unknown?.reason ?? '', /^action is "scale_upp": .*did you mean scale_up\?$/);
      assert.equal(unknown?.document, '{"rule_name":"cpu","action":"scale_upp","service":"b"}');
      assert.equal(told.filter(({ event }) => event === 'alert.refused').length, 5);
    });

    it('counts what a sender says again in the row that is written, and tells of it once a day', async (t) => {
      const { inbox, clock, told } = await openInbox(t, await freshDatabase(t));
      const wrong = { rule_name: 'cpu', action: 'scale_upp', service: 'b' };
      for (let round = 0; round < 4; round += 1) {
        await inbox.accept([wrong], 'elastalert');
        await inbox.accept([resolved('a', shifted(-hour)), firing('a', shifted(-hour))], 'alertmanager');
        clock.advance(minute);
      }
      const rows = await allRows(inbox);
      const repeats = (state: string) => rows.find(({ state: is }) => is === state)?.repeats;
      assert.equal(repeats('failed'), 3);
      const first = rows.find(({ status }) => status === 'unreadable');
      assert.equal(first?.receivedAt, Date.parse(sampleTime));
      assert.deepEqual(
        rows.flatMap(({ reason, repeats: times }) => (/resolved a moment ago/.test(reason) ? times : [])),
        [3],
      );
      assert.equal(told.filter(({ event }) => event === 'alert.refused').length, 1);
      clock.advance(24 * hour);
      await inbox.accept([wrong], 'elastalert');
      assert.equal(told.filter(({ event }) => event === 'alert.refused').length, 2);
    });

    it('keeps alerts from acting while a silence matches, by service or by any other property', async (t) => {
      const { inbox, clock, told } = await openInbox(t, await freshDatabase(t));
      let changes = 0;
      inbox.onChange(() => {
        changes += 1;
      });
      await inbox.accept(
        [firing('a', sampleTime), firing('b', sampleTime, { service: 'shop' })],
        'alertmanager',
      );
      const until = clock.wall() + hour;
      const silence = await inbox.silence({ match: { service: 'web' }, until, by: 'ann', why: 'deploying' });
      assert.equal(changes, 2);
      assert.deepEqual([inbox.active('web').length, inbox.active('shop').length], [0, 1]);
      assert.equal(inbox.demands('web').length, 0);
      const [late] = await inbox.accept([firing('c', sampleTime)], 'alertmanager');
      assert.equal(late?.state, 'skipped');
      assert.match(late?.reason ?? '', /^silenced until 2026-03-02T11:00:00.000Z by ann: deploying$/);
      assert.deepEqual(
        inbox
          .live()
          .map(({ row, silence: by }) => [row.fingerprint, row.state, by?.why])
          .sort(),
        [
          ['alertmanager:a', 'skipped', 'deploying'],
          ['alertmanager:b', 'unprocessed', undefined],
          ['alertmanager:c', 'skipped', 'deploying'],
        ],
      );
      await inbox.silence({
        match: { name: 'Lo*', severity: 'none' },
        until,
        by: 'bob',
        why: 'no such severity',
      });
      assert.equal(inbox.active('shop').length, 1);
      assert.equal(await inbox.unsilence(silence.id, 'ann'), true);
      assert.equal(await inbox.unsilence(silence.id, 'ann'), false);
      const waits = { state: 'unprocessed', reason: 'waits for a decision' };
      for (const name of ['a', 'c']) assert.partialDeepStrictEqual(inbox.row(`alertmanager:${name}`), waits);
      assert.equal(inbox.active('web').length, 2, 'they are still live');
      inbox.settle('alertmanager:a', 'processed', 'web 2 → 3');
      assert.equal((await inbox.list({ state: 'processed' }, undefined, 10)).items.length, 1);
      await inbox.silence({ match: { service: '*' }, until, by: 'ann', why: 'all' });
      assert.equal(inbox.active('shop').length, 0);
      clock.advance(hour);
      assert.equal(inbox.active('shop').length, 1, 'it is over');
      inbox.expire();
      assert.equal(inbox.row('alertmanager:b')?.state, 'unprocessed', 'and the alert waits again');
      assert.deepEqual(
        told.filter(({ event }) => event.startsWith('silence')).map(({ event, actor }) => [event, actor]),
        [
          ['silence.set', 'ann'],
          ['silence.set', 'bob'],
          ['silence.ended', 'ann'],
          ['silence.set', 'ann'],
        ],
      );
      await assert.rejects(
        inbox.silence({ match: {}, until: clock.wall() + 1, by: 'x', why: 'y' }),
        (error) => isBerthError(error, 'request.invalid'),
      );
      await assert.rejects(
        inbox.silence({ match: { service: 'a' }, until: clock.wall(), by: 'x', why: 'y' }),
        (error) => isBerthError(error, 'request.invalid'),
      );
    });

    it('finds the service of an alert that names only a container, as soon as it is known', async (t) => {
      const services = new Map<string, string>();
      const serviceOf = (container: { name?: string | undefined }) => services.get(container.name ?? '');
      const { inbox } = await openInbox(t, await freshDatabase(t), { serviceOf });
      await inbox.accept(
        [{ rule_name: 'cpu', action: 'scale_up_node', container_name: 'web_1' }],
        'elastalert',
      );
      assert.deepEqual(inbox.demands('web'), []);
      services.set('web_1', 'web');
      assert.deepEqual(
        inbox.demands('web').map(({ kind, service }) => [kind, service]),
        [['node', 'web']],
      );
    });

    it('goes on after a restart: live alerts, their states, marks of ended ones, silences', async (t) => {
      const url = await freshDatabase(t);
      const first = await openInbox(t, url);
      const shop = { service: 'shop' };
      await first.inbox.accept(
        [firing('a', sampleTime), firing('b', sampleTime), firing('c', sampleTime, shop)],
        'alertmanager',
      );
      first.inbox.settle('alertmanager:a', 'processed', 'web 2 → 3');
      await first.inbox.accept([resolved('b', sampleTime)], 'alertmanager');
      const until = first.clock.wall() + hour;
      await first.inbox.silence({ match: shop, until, by: 'ann', why: 'deploying' });
      const clock = new HandClock(shifted(minute));
      const second = await openInbox(t, url, { clock });
      assert.equal(await second.inbox.load(), true);
      assert.deepEqual(
        second.inbox.active('web').map(({ fingerprint, ageMs }) => [fingerprint, ageMs]),
        [['alertmanager:a', minute]],
      );
      assert.equal(second.inbox.active('shop').length, 0, 'silenced');
      assert.deepEqual(
        states(await second.inbox.accept([firing('b', sampleTime), firing('a', sampleTime)], 'alertmanager')),
        ['skipped', 'skipped'],
      );
      const rows = await allRows(second.inbox);
      assert.equal(rows.find(({ fingerprint }) => fingerprint === 'alertmanager:a')?.state, 'processed');
      const third = await openInbox(t, url, { clock: new HandClock(shifted(hour + minute)) });
      await third.inbox.load();
      assert.equal(
        third.inbox.row('alertmanager:c')?.state,
        'unprocessed',
        'its silence ended while nobody ran',
      );
      clock.advance(5 * hour);
      assert.deepEqual(second.inbox.active('web'), [], 'its time to live did not start anew');
    });

    it('sees what another coordinator has taken in, newer over older', async (t) => {
      const url = await freshDatabase(t);
      const one = await openInbox(t, url);
      const two = await openInbox(t, url);
      await one.inbox.accept([firing('a', sampleTime)], 'alertmanager');
      await two.inbox.load();
      assert.equal(two.inbox.active('web').length, 1);
      two.clock.advance(1000);
      one.clock.advance(1000);
      await two.inbox.accept([resolved('a', sampleTime)], 'alertmanager');
      await one.inbox.load();
      assert.deepEqual(one.inbox.active('web'), []);
      assert.equal((await allRows(one.inbox)).length, 1);
      const until = one.clock.wall() + hour;
      const silence = await one.inbox.silence({
        match: { service: 'web' },
        until,
        by: 'ann',
        why: 'deploying',
      });
      await two.inbox.load();
      assert.equal(two.inbox.silences().length, 1);
      await two.inbox.unsilence(silence.id, 'bob');
      one.clock.advance(1);
      await one.inbox.load();
      assert.deepEqual(one.inbox.silences(), []);
    });

    it('does not end an alert that another coordinator has heard of since', async (t) => {
      const url = await freshDatabase(t);
      const [one, two] = [await openInbox(t, url), await openInbox(t, url)];
      const alert = { rule_name: 'cpu', action: 'scale_up', service: 'web' };
      await one.inbox.accept([alert], 'elastalert');
      await two.inbox.load();
      for (const { clock } of [one, two]) clock.advance(9 * minute);
      await two.inbox.accept([alert], 'elastalert');
      for (const { clock } of [one, two]) clock.advance(2 * minute);
      const stop = new AbortController();
      const running = one.inbox.run(stop.signal);
      while (one.clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve));
      stop.abort();
      await running;
      assert.equal(one.inbox.active('web').length, 1);
      assert.deepEqual(
        (await allRows(two.inbox)).map(({ status }) => status),
        ['firing'],
      );
    });

    it('lists rows newest first, by page and by filter', async (t) => {
      const { inbox, clock } = await openInbox(t, await freshDatabase(t));
      for (let index = 0; index < 10; index += 1) {
        const service = index % 2 === 0 ? 'even' : 'odd';
        await inbox.accept([firing(`f${index}`, sampleTime, { service })], 'alertmanager');
        // Two in the same millisecond.
        if (index % 3 === 0) clock.advance(1000);
      }
      const seen: string[] = [];
      for (let cursor: string | undefined, pages = 0; pages < 5; pages += 1) {
        const page = await inbox.list({}, cursor, 3);
        seen.push(...page.items.map(({ fingerprint }) => fingerprint));
        cursor = page.next;
        if (cursor === undefined) break;
      }
      assert.equal(new Set(seen).size, 10);
      assert.equal(seen[0], 'alertmanager:f9');
      assert.equal(seen.at(-1), 'alertmanager:f0');
      const even = await inbox.list({ service: 'even' }, undefined, 100);
      assert.equal(even.items.length, 5);
      const one = await inbox.list(
        { fingerprint: 'alertmanager:f3', status: 'firing', dialect: 'alertmanager' },
        undefined,
        9,
      );
      assert.equal(one.items.length, 1);
    });

    it('keeps every value that a document can bring', async (t) => {
      const { inbox } = await openInbox(t, await freshDatabase(t));
      const odd = ['ü😀', "'; drop table alert_inbox; --", 'a\0b', 'x'.repeat(5000), '%', '\\', '\ud800'];
      const outcomes = await inbox.accept(
        odd.map((rule_name) => ({ rule_name, action: 'scale_up', service: 'web', policy_name: rule_name })),
        'elastalert',
      );
      assert.deepEqual(new Set(states(outcomes)), new Set(['unprocessed']));
      assert.equal((await allRows(inbox)).length, odd.length);
      const refused = await inbox.accept(
        odd.map((service) => ({ action: 'scale_up', service })),
        'elastalert',
      );
      assert.deepEqual(new Set(states(refused)), new Set(['failed']));
      assert.equal((await allRows(inbox)).length, 2 * odd.length);
    });

    it('takes 10,000 in one burst, with a poisoned one in the middle, and all of them again', async (t) => {
      const { inbox } = await openInbox(t, await freshDatabase(t));
      const burst: unknown[] = Array.from({ length: 10_000 }, (_, index) =>
        firing(`f${index}`, sampleTime, { service: `s${index % 500}`, alertname: `Rule${index}` }),
      );
      burst[5000] = { status: 'firing', labels: { alertname: 'Poison', berth_action: 'explode' } };
      const before = process.memoryUsage().heapUsed;
      const started = performance.now();
      const outcomes = await inbox.accept(burst, 'alertmanager');
      const took = performance.now() - started;
      const heap = (process.memoryUsage().heapUsed - before) / 1e6;
      t.diagnostic(`10,000 alerts: ${Math.round(took)} ms to their rows, heap grew by ${heap.toFixed(0)} MB`);
      assert.equal(outcomes.filter(({ state }) => state === 'unprocessed').length, 9999);
      assert.deepEqual([outcomes[5000]?.state, outcomes[5000]?.index], ['failed', 5000]);
      assert.ok(outcomes.every(({ stored }) => stored));
      assert.equal(inbox.active('s7').length, 20);
      await inbox.accept(burst, 'alertmanager');
      assert.equal(inbox.active('s7').length, 20);
      const rows = await allRows(inbox);
      assert.equal(rows.length, 10_000);
      assert.equal(rows.filter(({ repeats }) => repeats === 1).length, 10_000);
      assert.deepEqual(inbox.status(), { live: 9999, known: 9999, waiting: 0, reason: undefined });
    });

    it('refuses further alerts when as many are live as it may hold, and says so', async (t) => {
      const { inbox } = await openInbox(t, await freshDatabase(t), { limit: 3 });
      const outcomes = await inbox.accept(
        ['a', 'b', 'c', 'd'].map((name) => firing(name, sampleTime)),
        'alertmanager',
      );
      assert.deepEqual(states(outcomes), ['unprocessed', 'unprocessed', 'unprocessed', 'failed']);
      assert.match(outcomes[3]?.reason ?? '', /3 alerts are known, which is the most/);
      assert.equal(inbox.active('web').length, 3);
      assert.equal((await inbox.list({ state: 'failed' }, undefined, 9)).items.length, 1);
    });

    it('looks after itself: expires, and deletes rows that are old and over', async (t) => {
      const url = await freshDatabase(t);
      const { inbox, clock } = await openInbox(t, url, { keepMs: 2 * hour });
      const stop = new AbortController();
      const running = inbox.run(stop.signal);
      await inbox.accept([firing('a', sampleTime), { rule: 'x' }], 'alertmanager');
      await inbox.accept([{ service: 'web', direction: 'up', expiresIn: '7d' }], 'generic');
      const asleep = async () => {
        while (clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve));
      };
      await asleep();
      let changes = 0;
      inbox.onChange(() => {
        changes += 1;
      });
      clock.advance(5 * hour);
      await asleep();
      assert.equal(changes, 1);
      assert.equal(inbox.status().live, 1);
      clock.advance(3 * hour);
      await asleep();
      stop.abort();
      await running;
      assert.deepEqual(
        (await allRows(inbox)).map(({ dialect, status }) => [dialect, status]),
        [['generic', 'firing']],
      );
    });
  });
}

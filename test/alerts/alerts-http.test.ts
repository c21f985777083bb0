import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { replayWindowMs } from '../../coordinator/alerts/judge-alert.ts';
import { signatureHeader, signBody, verifySignature } from '../../coordinator/alerts/signature.ts';
import { TakenPosts } from '../../coordinator/alerts/taken-posts.ts';
import { secret, serveAlerts, token } from './alert-server.ts';
import { openInbox, type Parts } from './inbox-suite.ts';
import { expected, sampleBytes, sampleTime } from './samples.ts';

const authorization = { authorization: `Bearer ${token}` };
const up = JSON.stringify({ service: 'web', direction: 'up' });
type Json = Record<string, unknown>;

async function open(t: TestContext): Promise<Parts & { ask: typeof fetch }> {
  const parts = await openInbox(t, 'sqlite::memory:');
  const server = await serveAlerts(parts.inbox, parts.clock);
  t.after(() => server.stop());
  return { ...parts, ask: (path, options) => fetch(`${server.url}${String(path)}`, options) };
}

const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = authorization) => ({
  method: 'POST',
  body,
  headers,
});
const json = async (response: Response): Promise<Json> => (await response.json()) as Json;

describe('alerts over HTTP', () => {
  it('takes every sample in its dialect', async (t) => {
    const { ask } = await open(t);
    for (const [file, { dialect, rows }] of Object.entries(expected)) {
      const response = await ask(`/api/v1/alerts/${dialect}`, post(new Uint8Array(sampleBytes(file))));
      assert.equal(response.status, 200, file);
      const answer = await json(response);
      assert.equal(answer['failed'], 0, file);
      assert.equal((answer['outcomes'] as unknown[]).length, rows.length, file);
    }
  });

  it('answers 401 without token or signature, and takes nothing then', async (t) => {
    const { ask, inbox } = await open(t);
    assert.equal((await ask('/api/v1/alerts/generic', post(up, {}))).status, 401);
    assert.equal((await ask('/api/v1/alerts/generic', post(up, { authorization: 'Bearer x' }))).status, 401);
    assert.equal((await ask('/api/v1/alerts')).status, 401);
    assert.deepEqual(inbox.status().live, 0);
  });

  it('takes a signed post instead of the token, and refuses what is altered, old or signed otherwise', async (t) => {
    const { ask, inbox, clock } = await open(t);
    const status = async (body: string, signature: string) =>
      (await ask('/api/v1/alerts/generic', post(body, { [signatureHeader]: signature }))).status;
    const good = signBody(secret, up, clock.wall());
    assert.equal(await status(up, good), 200);
    assert.equal(await status(up.replace('web', 'shop'), good), 401);
    assert.equal(await status(up, signBody('another secret', up, clock.wall())), 401);
    assert.equal(await status(up, good.replace('v1=', 'v0=')), 401);
    assert.equal(await status(up, ''), 401);
    assert.equal(await status(up, signBody(secret, up, clock.wall() - replayWindowMs - 1000)), 401);
    assert.equal(await status(up, signBody(secret, up, clock.wall() + replayWindowMs + 2000)), 401);
    assert.equal(await status(up, good), 200, 'within the window a replay is answered …');
    assert.equal(inbox.active('web').length, 1, '… and changes nothing');
    assert.equal((await ask('/api/v1/alerts', { headers: { [signatureHeader]: good } })).status, 401);
    clock.advance(replayWindowMs + 1000);
    assert.equal(await status(up, good), 401);
  });

  it('takes a signed post once: a replay neither fires an alert again nor ends it', async (t) => {
    const { ask, inbox, clock } = await open(t);
    const over = JSON.stringify({ service: 'web', direction: 'up', status: 'resolved' });
    const send = async (body: string, signature: string, dialect = 'generic') => {
      const response = await ask(`/api/v1/alerts/${dialect}`, post(body, { [signatureHeader]: signature }));
      assert.equal(response.status, 200);
      const { accepted, skipped, outcomes } = await json(response);
      return [accepted, skipped, (outcomes as Json[])[0]?.['reason']];
    };
    const [firing, resolve] = [up, over].map((body) => signBody(secret, body, clock.wall())) as [
      string,
      string,
    ];
    assert.deepEqual(await send(up, firing), [1, 0, 'waits for a decision']);
    assert.deepEqual(await send(over, resolve), [1, 0, 'it is over']);
    clock.advance(60_000);
    const replay = [0, 1, 'this signed post was taken already: it is a replay'];
    assert.deepEqual(await send(up, firing), replay);
    assert.deepEqual(await send(up, `v1=${'0'.repeat(64)},${firing}`), replay);
    assert.equal(inbox.active('web').length, 0);
    const { items } = await inbox.list({}, undefined, 10);
    assert.equal(items.length, 1, 'it leaves no rows');
    assert.equal((await send(up, signBody(secret, up, clock.wall())))[0], 1, 'a new one fires');
    assert.deepEqual(await send(over, resolve), replay);
    assert.equal(inbox.active('web').length, 1);
  });

  it('lets a signed post come again that was not taken', async (t) => {
    const { ask, inbox, clock } = await open(t);
    const wrong = JSON.stringify({ service: 'web', direction: 'boo' });
    const signature = signBody(secret, wrong, clock.wall());
    for (const _ of [1, 2]) {
      const response = await ask('/api/v1/alerts/generic', post(wrong, { [signatureHeader]: signature }));
      assert.equal(response.status, 400);
    }
    assert.equal((await inbox.list({ state: 'failed' }, undefined, 10)).items[0]?.repeats, 1);
  });

  it('answers 400 with the mend when nothing of a post can be read, and 200 when a part can', async (t) => {
    const { ask } = await open(t);
    for (const body of ['', '[]', '{', 'hello', '{"service":"web","direction":"boo"}']) {
      const response = await ask('/api/v1/alerts/generic', post(body));
      assert.equal(response.status, 400, body);
      assert.equal(response.headers.get('content-type'), 'application/problem+json');
    }
    const refused = await json(
      await ask('/api/v1/alerts/generic', post('{"service":"web","direction":"boo"}')),
    );
    assert.equal(refused['detail'], 'direction is "boo": it must be one of up, down');
    assert.equal((await ask('/api/v1/alerts/nagios', post(up))).status, 400);
    const mixed = await json(await ask('/api/v1/alerts/generic', post(`${up}\n{"service":\n${up}`)));
    assert.deepEqual([mixed['accepted'], mixed['skipped'], mixed['failed']], [1, 1, 1]);
  });

  it('shows the inbox and what is live, and sets and ends silences', async (t) => {
    const { ask, inbox } = await open(t);
    await ask('/api/v1/alerts/generic', post(up));
    const get = async (path: string) => {
      const response = await ask(path, { headers: authorization });
      assert.equal(response.status, 200, path);
      return (await json(response))['items'] as Json[];
    };
    assert.partialDeepStrictEqual((await get('/api/v1/alerts?service=web&state=unprocessed'))[0], {
      name: 'up',
      status: 'firing',
      receivedAt: sampleTime,
      startsAt: sampleTime,
    });
    assert.deepEqual(await get('/api/v1/alerts?service=shop'), []);
    const silence = { match: { service: 'web' }, for: '2h', by: 'ann', why: 'deploying' };
    const typed = { ...authorization, 'content-type': 'application/json' };
    const set = await ask('/api/v1/silences', post(JSON.stringify(silence), typed));
    assert.equal(set.status, 201);
    const { id } = await json(set);
    assert.deepEqual(inbox.active('web'), []);
    assert.equal((await get('/api/v1/silences')).length, 1);
    assert.partialDeepStrictEqual((await get('/api/v1/alerts/live'))[0], {
      silencedBy: { why: 'deploying' },
    });
    const remove = { method: 'DELETE', headers: authorization };
    assert.equal((await ask(`/api/v1/silences/${String(id)}?by=ann`, remove)).status, 204);
    assert.equal((await ask(`/api/v1/silences/${String(id)}`, remove)).status, 404);
    assert.equal(inbox.active('web').length, 1);
    for (const wrong of [
      { ...silence, for: 'ever' },
      { ...silence, match: {} },
      { ...silence, match: { host: 'a' } },
    ]) {
      assert.equal((await ask('/api/v1/silences', post(JSON.stringify(wrong), typed))).status, 400);
    }
  });
});

describe('posts that were taken', () => {
  it('are known as long as their signature counts, the newest of very many', () => {
    const taken = new TakenPosts();
    assert.equal(taken.take('a', 100, 0), true);
    assert.equal(taken.take('a', 100, 100), false);
    assert.equal(taken.take('a', 200, 101), true);
    for (let index = 0; index < 60_000; index += 1) taken.take(`b${index}`, 1000, 102);
    assert.equal(taken.size, 50_000);
    assert.equal(taken.take('b59999', 1000, 103), false);
    assert.equal(taken.take('c', 5000, 2000), true);
    assert.equal(taken.size, 1);
  });
});

describe('a signature', () => {
  it('is accepted with either of two secrets while one is changed, and of any bytes', () => {
    const body = Uint8Array.from([0, 255, 10]);
    const check = (header: string | undefined, secrets: string[]) =>
      verifySignature({ header, body, secrets, nowWall: 1_000_000_000_500 }).ok;
    const header = signBody('old', body, 1_000_000_000_000);
    assert.equal(header, `t=1000000000,v1=${header.split('v1=')[1]}`);
    assert.equal(check(header, ['new', 'old']), true);
    assert.equal(check(`${header},v1=${'0'.repeat(64)}`, ['old']), true);
    assert.equal(check(header, ['new']), false);
    assert.equal(check(header, []), false);
    assert.equal(check(undefined, ['old']), false);
    assert.equal(check('x'.repeat(10_000), ['old']), false);
  });
});

describe('the conformance records of webhooks and alert pools, through the inbox', () => {
  const file = join(import.meta.dirname, '../conformance/cases.json');
  const cases = JSON.parse(readFileSync(file, 'utf8')) as {
    name: string;
    kind: string;
    input: Json & { events: Json[] };
    expected: Json;
  }[];
  for (const { name, kind, input, expected: wanted } of cases) {
    if (kind === 'webhook_validate') {
      it(name, async (t) => {
        const { ask } = await open(t);
        const response = await ask('/api/v1/alerts/generic', post(JSON.stringify(input)));
        assert.equal(response.status, wanted['httpStatus']);
      });
    }
    if (kind === 'alert_pool') {
      it(name, async (t) => {
        const { inbox, clock } = await openInbox(t, 'sqlite::memory:');
        const seconds = (value: unknown) => Number(value) * 1000;
        for (const { name: rule, firing } of input.events) {
          const status = firing === true ? 'firing' : 'resolved';
          const expiresIn = Number(input['ttlSeconds']);
          await inbox.accept([{ rule, service: 'web', status, expiresIn }], 'generic');
        }
        clock.advance(seconds(input['nowSeconds']));
        const weights = input['weights'] as Record<string, number>;
        const active = inbox.active('web', { byName: weights });
        assert.deepEqual(
          Object.fromEntries(active.map((alert) => [alert.name, weights[alert.name] ?? 0])),
          wanted['active'],
        );
      });
    }
  }
});

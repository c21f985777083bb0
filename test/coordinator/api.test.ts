import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { z } from 'zod';
import { startHaproxy } from '../bench/haproxy.ts';
import { startCoordinator, temporaryFolder } from './coordinator-bench.ts';
import { eventually } from './eventually.ts';
import { heartbeat } from './session-bench.ts';

const haproxy = await startHaproxy({ config: { slots: 12 } });
after(() => haproxy.stop());

type Json = Record<string, unknown>;
const json = async (response: Response): Promise<Json> => (await response.json()) as Json;
const itemsOf = (body: Json): Json[] => body['items'] as Json[];

describe('every route', () => {
  it('answers as its OpenAPI description says', async (t) => {
    const bench = await startCoordinator(t, { haproxy, env: { BERTH_TOKEN: 'secret' } });
    await bench.agent('a1', { service: 'web', container: 'c1' });
    await eventually('the agent and the slots', async () => {
      const agents = itemsOf(await json(await bench.fetch('/api/v1/agents?connected=true')));
      const slots = itemsOf(await json(await bench.fetch('/api/v1/slots')));
      return agents.length === 1 && slots.length === 12;
    });
    const document = (await json(await bench.fetch('/openapi.json'))) as unknown as OpenApi;
    const requests: Record<string, { path: string; options?: RequestInit; status?: string }[]> = {
      'get /livez': [{ path: '/livez', status: '200' }],
      'get /readyz': [{ path: '/readyz', status: '200' }],
      'get /metrics': [{ path: '/metrics', status: '200' }],
      'get /api/v1/slots': [
        { path: '/api/v1/slots', status: '200' },
        { path: '/api/v1/slots?state=asleep', status: '400' },
        { path: '/api/v1/slots?limit=many', status: '400' },
      ],
      'get /api/v1/haproxys': [
        { path: '/api/v1/haproxys', status: '200' },
        { path: '/api/v1/haproxys?limit=1001', status: '400' },
      ],
      'get /api/v1/agents': [
        { path: '/api/v1/agents', status: '200' },
        { path: '/api/v1/agents?connected=maybe', status: '400' },
      ],
      'get /api/v1/agents/{id}': [
        { path: '/api/v1/agents/a1', status: '200' },
        { path: '/api/v1/agents/none', status: '404' },
      ],
      'post /api/v1/agents/{id}/drain': [
        { path: '/api/v1/agents/a1/drain', options: post({ reason: 'test' }), status: '202' },
        { path: '/api/v1/agents/a1/drain', options: post({ drain: 'x' }), status: '400' },
        { path: '/api/v1/agents/a1/drain', options: { method: 'POST' }, status: '400' },
        { path: '/api/v1/agents/a1/drain', options: { method: 'POST', body: '{' }, status: '415' },
        { path: '/api/v1/agents/a1/drain', options: { ...post({}), body: '{' }, status: '400' },
        { path: '/api/v1/agents/none/drain', options: post({ reason: 'test' }), status: '404' },
        { path: '/api/v1/agents/a1/drain', options: post({ reason: 'x'.repeat(2_000_000) }), status: '413' },
      ],
      'get /api/v1/audit': [
        { path: '/api/v1/audit', status: '200' },
        {
          path: '/api/v1/audit?event=agent.*&since=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z',
          status: '200',
        },
        { path: '/api/v1/audit?since=yesterday', status: '400' },
        { path: '/api/v1/audit?limit=0', status: '400' },
      ],
      'get /api/v1/audit/export': [
        { path: '/api/v1/audit/export', status: '200' },
        { path: '/api/v1/audit/export?format=json', status: '200' },
        { path: '/api/v1/audit/export?format=xml', status: '400' },
      ],
      'get /api/v1/report': [
        { path: '/api/v1/report', status: '200' },
        { path: '/api/v1/report?since=2020-01-01T00:00:00Z', status: '200' },
        { path: '/api/v1/report?since=yesterday', status: '400' },
      ],
      'get /api/v1/events': [{ path: '/api/v1/events', status: '200' }],
    };
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ method, path, responses: methods[method]?.responses ?? {} })),
    );
    const missing = Object.keys(requests).filter(
      (route) => !described.some(({ method, path }) => route === `${method} ${path}`),
    );
    assert.deepEqual(missing, []);
    for (const { method, path, responses } of described) {
      const route = `${method} ${path}`;
      // A route without requests of its own is asked for what is not there, with an empty body.
      const asked = requests[route] ?? [
        {
          path: path.replaceAll(/\{\w+\}/g, 'none'),
          options: method === 'get' ? {} : { ...post({}), method },
        },
      ];
      for (const { path: url, options, status } of asked) {
        const response = await bench.fetch(url, options);
        if (status !== undefined) assert.equal(String(response.status), status, `${route} ${url}`);
        const type = response.headers.get('content-type')?.split(';')[0] ?? '';
        const content = responses[response.status]?.content?.[type];
        const answer = `${route} answers ${response.status}${type === '' ? '' : ` with ${type}`}`;
        if (response.status === 204)
          assert.ok(responses['204'] !== undefined, `${answer}, which is not described`);
        else assert.ok(content !== undefined, `${answer}, which is not described`);
        if (content !== undefined && type.endsWith('json'))
          check(document, content.schema, await response.json(), answer);
        else await response.body?.cancel();
      }
      const open = document.paths[path]?.[method]?.security?.length === 0;
      const stranger = await fetch(bench.url + path, { method });
      await stranger.body?.cancel();
      assert.equal(stranger.status === 401, !open, `${route} without a token`);
    }
  });
});

describe('lists', () => {
  it('come in pages, in the order that people expect, also when items come and go in between', async (t) => {
    const bench = await startCoordinator(t, { haproxy });
    await eventually(
      'the slots',
      async () => itemsOf(await json(await bench.fetch('/api/v1/slots'))).length === 12,
    );
    const seen: unknown[] = [];
    for (let cursor = ''; ; ) {
      const page = await json(await bench.fetch(`/api/v1/slots?limit=5${cursor}`));
      seen.push(...itemsOf(page).map((slot) => slot['slot']));
      if (page['next'] === undefined) break;
      cursor = `&cursor=${encodeURIComponent(String(page['next']))}`;
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 12 }, (_, index) => `node${index + 1}`),
    );
    const gone = await json(await bench.fetch('/api/v1/agents?cursor=zzz'));
    assert.deepEqual(gone, { items: [] });
  });

  it('of the last decisions hold each service once, although new ones are made in between', async (t) => {
    const policies = ['a', 'b', 'c'].map((name) => ({
      name,
      maxReplicas: 5,
      interval: '250ms',
      metrics: [
        {
          name: 'n',
          source: { type: 'pushed', metric: 'n' },
          target: { type: 'AverageValue', averageValue: 1 },
        },
      ],
    }));
    const file = join(temporaryFolder(t, 'berth-policies-'), 'policies.yaml');
    writeFileSync(file, JSON.stringify({ policies }));
    const bench = await startCoordinator(t, { haproxy, env: { BERTH_POLICIES: file } });
    const page = async (query: string) => json(await bench.fetch(`/api/v1/decisions?${query}`));
    const at = async () => String(itemsOf(await page('limit=1'))[0]?.['at']);
    await eventually('all decisions', async () => itemsOf(await page('limit=10')).length === 3);
    const seen: unknown[] = [];
    for (let cursor = ''; seen.length < 10; ) {
      const before = await at();
      const { next, ...found } = await page(`limit=1${cursor}`);
      seen.push(...itemsOf(found).map(({ service }) => service));
      if (next === undefined) break;
      cursor = `&cursor=${encodeURIComponent(String(next))}`;
      await eventually('newer decisions', async () => (await at()) !== before);
    }
    assert.deepEqual(seen, ['a', 'b', 'c']);
  });

  it('are filtered', async (t) => {
    const bench = await startCoordinator(t, { haproxy });
    await bench.agent('a1', { service: 'web' });
    await bench.agent('a2', { service: 'shop' });
    const ids = async (query: string) =>
      itemsOf(await json(await bench.fetch(`/api/v1/agents?${query}`))).map(({ id }) => id);
    await eventually('both agents', async () => (await ids('connected=true')).length === 2);
    assert.deepEqual(await ids('service=shop'), ['a2']);
    assert.deepEqual(await ids('phase=draining'), []);
    assert.deepEqual(itemsOf(await json(await bench.fetch('/api/v1/slots?state=ready'))), []);
  });
});

describe('the audit', () => {
  it('is exported whole, as CSV and as JSON, quoted where it must be', async (t) => {
    const bench = await startCoordinator(t);
    const client = await bench.agent('a1', { container: 'c1', service: '=cmd()' });
    const events = Array.from({ length: 90 }, (_, index) => ({
      event: 'slot.claimed',
      ageMs: 0,
      slot: `node${index}`,
      reason: 'a "quoted",\nlong one',
    }));
    for (let seq = 2; seq < 8; seq += 1)
      client.send(heartbeat(seq, { registrations: [], events: seq === 7 ? [] : events.slice(0, 50) }));
    const count = async () =>
      itemsOf(await json(await bench.fetch('/api/v1/audit?event=slot.claimed&limit=1000'))).length;
    await eventually('all rows', async () => (await count()) === 250);
    const rows = (await (
      await bench.fetch('/api/v1/audit/export?format=json&event=slot.claimed')
    ).json()) as Json[];
    assert.equal(rows.length, 250);
    assert.deepEqual(
      rows.slice(0, 50).map((row) => row['slot']),
      events.slice(0, 50).map(({ slot }) => slot),
    );
    const csv = await (await bench.fetch('/api/v1/audit/export?event=slot.claimed')).text();
    assert.match(csv, /^id,at,event,/);
    assert.equal(csv.split('"a ""quoted"",\nlong one"').length, 251);
    assert.match(csv, /,'=cmd\(\),/);
    const none = await bench.fetch('/api/v1/audit/export?format=json&event=none');
    assert.deepEqual(await none.json(), []);
  });

  it('answers 503 while the database is away, and /readyz says so', async (t) => {
    const bench = await startCoordinator(t, { haproxy });
    await eventually('readiness', async () => (await bench.fetch('/readyz')).ok);
    const other = new DatabaseSync(join(bench.folder, 'berth.db'));
    t.after(() => other.close());
    other.exec('pragma journal_mode');
    other.exec('begin immediate');
    await bench.agent('a1');
    const failing = await eventually('a failing check', async () => {
      const response = await bench.fetch('/readyz');
      return response.status === 503 && (await json(response));
    });
    const checks = failing['checks'] as Json[];
    const audit = checks.find((check) => check['name'] === 'audit');
    assert.equal(audit?.['status'], 'failed');
    assert.match(String(audit?.['reason']), /bytes in the journal: database .* is locked/);
    assert.equal(checks.find((check) => String(check['name']).startsWith('haproxy'))?.['status'], 'ok');
    assert.equal((await bench.fetch('/livez')).status, 200);
    other.exec('rollback');
    await eventually('readiness', async () => (await bench.fetch('/readyz')).ok);
    const rows = itemsOf(await json(await bench.fetch('/api/v1/audit?event=agent.connected')));
    assert.equal(rows.length, 1);
  });
});

describe('server-sent events', () => {
  it('bring audit rows and changed slots, and after a break the rows that were missed', async (t) => {
    const bench = await startCoordinator(t, { haproxy });
    await eventually('readiness', async () => (await bench.fetch('/readyz')).ok);
    const first = await openEvents(bench.url, t);
    const client = await bench.agent('a1');
    const connected = await first.next('audit', (data) => data['event'] === 'agent.connected');
    assert.equal(connected.data['agent'], 'a1');
    await haproxy.cli('set server app/node3 addr 127.0.0.9 port 1234');
    const slot = await first.next('slot', (data) => data['slot'] === 'node3');
    assert.equal(slot.data['address'], '127.0.0.9');
    await haproxy.cli('set server app/node3 addr 127.0.0.1 port 3128');
    first.close();
    client.send({ type: 'goodbye', reason: 'SIGTERM' });
    await client.closed;
    const second = await openEvents(bench.url, t, connected.id);
    const left = await second.next('audit', (data) => data['event'] === 'agent.left');
    assert.equal(left.data['reason'], 'SIGTERM');
    assert.ok(!second.seen.some((event) => event.id === connected.id));
  });
});

describe('what the API refuses', () => {
  it('is told as a problem: unknown paths, wrong methods', async (t) => {
    const bench = await startCoordinator(t);
    const none = await bench.fetch('/api/v2/slots');
    assert.equal(none.status, 404);
    assert.equal(none.headers.get('content-type'), 'application/problem+json');
    assert.equal((await json(none))['code'], 'not-found');
    const wrong = await bench.fetch('/api/v1/agents/a1', { method: 'DELETE' });
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.get('allow'), 'GET');
    const odd = await bench.fetch('/api/v1/agents/%FF%00');
    assert.equal(odd.status, 404);
  });

  it('is any caller from elsewhere while there is no token', async (t) => {
    const bench = await startCoordinator(t);
    const origin = await bench.fetch('/api/v1/slots', { headers: { origin: 'http://evil.example' } });
    assert.equal(origin.status, 403);
    const { port } = new URL(bench.url);
    const rebound = await rawRequest(
      Number(port),
      'GET /api/v1/slots HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n',
    );
    assert.match(rebound, /^HTTP\/1\.1 403 /);
    const own = await bench.fetch('/api/v1/slots', { headers: { origin: bench.url } });
    assert.equal(own.status, 200);
  });

  it('is the token of agents', async (t) => {
    const bench = await startCoordinator(t, {
      env: { BERTH_TOKEN: 'secret', BERTH_AGENT_TOKEN: 'agents-only' },
    });
    const headers = { authorization: 'Bearer agents-only' };
    for (const path of ['/api/v1/slots', '/metrics', '/api/v1/events'])
      assert.equal((await fetch(bench.url + path, { headers })).status, 401);
    assert.equal((await bench.fetch('/api/v1/slots')).status, 200);
  });

  it('is a wrong token, also for /metrics unless that is open', async (t) => {
    const closed = await startCoordinator(t, { env: { BERTH_TOKEN: 'secret' } });
    for (const authorization of ['Bearer other', 'Basic secret', 'Bearer', 'secret']) {
      const response = await fetch(`${closed.url}/metrics`, { headers: { authorization } });
      assert.equal(response.status, 401);
      assert.match(response.headers.get('www-authenticate') ?? '', /^Bearer/);
      assert.equal((await json(response))['code'], 'request.unauthorized');
    }
    for (const path of ['/livez', '/readyz', '/'])
      assert.notEqual((await fetch(closed.url + path)).status, 401);
    const open = await startCoordinator(t, { env: { BERTH_TOKEN: 'secret', BERTH_METRICS_OPEN: 'true' } });
    assert.equal((await fetch(`${open.url}/metrics`)).status, 200);
    assert.equal((await fetch(`${open.url}/api/v1/slots`)).status, 401);
  });

  it('is what is not HTTP, too long, or malformed, and the coordinator goes on', async (t) => {
    const bench = await startCoordinator(t);
    const { port } = new URL(bench.url);
    const attempts: [string, RegExp][] = [
      ['\0\x01\x02garbage\r\n\r\n', /^HTTP\/1\.1 400 /],
      [`GET /${'x'.repeat(70_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, /^HTTP\/1\.1 431 /],
      [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
      ['GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 4\d\d /],
      ['GET //evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 4\d\d /],
      [
        'POST /api/v1/agents/a1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n',
        /^HTTP\/1\.1 400 /,
      ],
    ];
    for (const [request, expected] of attempts) {
      assert.match(await rawRequest(Number(port), request), expected, JSON.stringify(request.slice(0, 40)));
    }
    assert.equal((await bench.fetch('/livez')).status, 200);
  });
});

describe('the end', () => {
  it('tells agents to come again, ends streams, keeps the audit and closes everything', async (t) => {
    const bench = await startCoordinator(t, { haproxy });
    const events = await openEvents(bench.url, t);
    const client = await bench.agent('a1');
    await events.next('audit', (data) => data['event'] === 'agent.connected');
    await bench.stop();
    assert.equal(await client.closed, 1012);
    await assert.rejects(bench.fetch('/livez'));
    const database = new DatabaseSync(join(bench.folder, 'berth.db'), { readOnly: true });
    t.after(() => database.close());
    const last = database.prepare('select event, reason from audit order by id desc limit 1').get();
    assert.deepEqual({ ...last }, { event: 'coordinator.stopped', reason: 'SIGTERM' });
    const agents = database.prepare('select id, phase from agents').all();
    assert.deepEqual(
      agents.map((row) => ({ ...row })),
      [{ id: 'a1', phase: 'ready' }],
    );
  });
});

interface OpenApi {
  paths: Record<
    string,
    Record<
      string,
      { security?: unknown[]; responses: Record<string, { content?: Record<string, { schema: object }> }> }
    >
  >;
  components: { schemas: Record<string, object> };
}

/** Checks `value` against a schema of the document, in which objects have no fields but those described. */
function check(document: OpenApi, schema: object, value: unknown, what: string): void {
  const whole = closed(
    JSON.parse(
      JSON.stringify({ ...schema, $defs: document.components.schemas }).replaceAll(
        '#/components/schemas/',
        '#/$defs/',
      ),
    ),
  );
  const parsed = z.fromJSONSchema(whole as Parameters<typeof z.fromJSONSchema>[0]).safeParse(value);
  assert.ok(parsed.success, `${what}: ${parsed.error === undefined ? '' : z.prettifyError(parsed.error)}`);
}

function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return 'properties' in inner && !('additionalProperties' in inner)
    ? { ...inner, additionalProperties: false }
    : inner;
}

function post(body: object): RequestInit {
  return { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
}

async function rawRequest(port: number, text: string): Promise<string> {
  const socket = connectTcp(port, '127.0.0.1');
  let answer = '';
  socket.on('error', () => {});
  socket.setEncoding('latin1').on('data', (chunk) => {
    answer += chunk;
  });
  socket.write(text, 'latin1');
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

interface ServerEvent {
  id: string | undefined;
  event: string;
  data: Json;
}

async function openEvents(url: string, t: { after(hook: () => void): void }, lastEventId?: string) {
  const controller = new AbortController();
  t.after(() => controller.abort());
  const response = await fetch(`${url}/api/v1/events`, {
    signal: controller.signal,
    headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
  });
  assert.equal(response.status, 200);
  const seen: ServerEvent[] = [];
  const reading = (async () => {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const lines = text.slice(0, end).split('\n');
        text = text.slice(end + 2);
        const field = (name: string) =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        const data = field('data');
        if (data !== undefined)
          seen.push({ id: field('id'), event: field('event') ?? '', data: JSON.parse(data) });
      }
    }
  })();
  reading.catch(() => {});
  let taken = 0;
  return {
    seen,
    close: () => controller.abort(),
    next: (event: string, matches: (data: Json) => boolean): Promise<ServerEvent> =>
      eventually(`an event ${event}`, () => {
        const index = seen.findIndex(
          (one, position) => position >= taken && one.event === event && matches(one.data),
        );
        if (index < 0) return undefined;
        taken = index + 1;
        return seen[index];
      }) as Promise<ServerEvent>,
  };
}

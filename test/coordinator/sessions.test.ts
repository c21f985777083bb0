import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { closeCodes, maxMessageBytes } from '../../shared/protocol.ts';
import { eventually } from './eventually.ts';
import { heartbeat, hello, startSessions } from './session-bench.ts';

const events = (entries: readonly { event: string }[]) => entries.map((entry) => entry.event);

describe('a session', () => {
  it('welcomes an agent, tells it how often to beat, and knows it after its first heartbeat', async (t) => {
    const { connect, registry, entries } = await startSessions(t, { heartbeatMs: 700 });
    const client = await connect();
    client.send(hello('a1', { service: 'web', container: 'c1', hostname: 'h1' }));
    await eventually('the welcome', () => client.messages.length === 1);
    assert.deepEqual(client.messages[0], { type: 'welcome', v: 1, coordinator: 'test', heartbeatMs: 700 });
    assert.equal(registry.get('a1')?.connected, false);
    client.send(heartbeat(1, { metrics: { queue: { value: 7, ageMs: 50 } } }));
    const record = await eventually('the heartbeat', () => registry.list().find((known) => known.connected));
    assert.equal(record.phase, 'ready');
    assert.equal(record.service, 'web');
    assert.equal(record.registrations[0]?.slot, 'node1');
    assert.equal(record.metrics['queue']?.value, 7);
    assert.ok((record.lastHeardAt ?? 0) - (record.metrics['queue']?.at ?? 0) >= 50);
    assert.deepEqual(events(entries), ['agent.connected']);
  });

  it('leaves out a metric called __proto__', async (t) => {
    const { connect, registry } = await startSessions(t);
    const client = await connect();
    client.send(hello('a1'));
    const metrics = '{"__proto__":{"value":1,"ageMs":0},"queue":{"value":2,"ageMs":0}}';
    client.send(`${JSON.stringify(heartbeat(1)).slice(0, -1)},"metrics":${metrics}}`);
    await eventually('the heartbeat', () => registry.get('a1')?.connected);
    assert.deepEqual(Object.keys(registry.get('a1')?.metrics ?? {}), ['queue']);
  });

  it('tells listeners of changes, not of heartbeats that say the same', async (t) => {
    const { connect, registry, sessions } = await startSessions(t);
    let changes = 0;
    registry.onChange(() => {
      changes += 1;
    });
    const client = await connect();
    client.send(hello('a1'));
    for (let seq = 1; seq <= 20; seq += 1) client.send(heartbeat(seq));
    await eventually('all messages', () => sessions.counters.messages === 21);
    assert.equal(changes, 2);
    client.send(heartbeat(21, { phase: 'draining' }));
    await eventually('the new phase', () => registry.get('a1')?.phase === 'draining');
    assert.equal(changes, 3);
  });

  it('records a goodbye, with its reason, and a lost connection as lost', async (t) => {
    const { connect, registry, entries } = await startSessions(t);
    const polite = await connect();
    polite.send(hello('polite'));
    polite.send(heartbeat(1));
    polite.send({ type: 'goodbye', reason: 'SIGTERM' });
    assert.equal(await polite.closed, closeCodes.goodbye);
    assert.equal(registry.get('polite')?.goodbyeReason, 'SIGTERM');
    assert.equal(registry.get('polite')?.lostAt, undefined);
    assert.equal(registry.get('polite')?.connected, false);
    const lost = await connect();
    lost.send(hello('lost'));
    lost.send(heartbeat(1));
    await eventually('the heartbeat', () => registry.get('lost')?.connected);
    lost.socket.terminate();
    await eventually('the loss', () => registry.get('lost')?.lostAt !== undefined);
    assert.equal(registry.get('lost')?.connected, false);
    assert.equal(registry.get('lost')?.goodbyeReason, undefined);
    assert.deepEqual(events(entries), ['agent.connected', 'agent.left', 'agent.connected', 'agent.lost']);
  });

  it('keeps what was known of an agent until the first heartbeat of its next session', async (t) => {
    const { connect, registry } = await startSessions(t);
    const first = await connect();
    first.send(hello('a1'));
    first.send(heartbeat(1));
    await eventually('the heartbeat', () => registry.get('a1')?.connected);
    first.send({ type: 'goodbye', reason: 'restart' });
    await first.closed;
    const second = await connect();
    second.send(hello('a1'));
    await eventually('the welcome', () => second.messages.length === 1);
    assert.equal(registry.get('a1')?.connected, false);
    assert.equal(registry.get('a1')?.goodbyeReason, 'restart');
    second.send(heartbeat(1, { phase: 'starting', registrations: [] }));
    await eventually('the heartbeat', () => registry.get('a1')?.connected);
    assert.equal(registry.get('a1')?.goodbyeReason, undefined);
    assert.equal(registry.get('a1')?.phase, 'starting');
    assert.deepEqual(registry.get('a1')?.registrations, []);
  });

  it('gives way to a new session of the same agent, whose loss it then is not', async (t) => {
    const { connect, registry } = await startSessions(t);
    const old = await connect();
    old.send(hello('a1'));
    old.send(heartbeat(1));
    await eventually('the heartbeat', () => registry.get('a1')?.connected);
    const next = await connect();
    next.send(hello('a1'));
    assert.equal(await old.closed, closeCodes.replaced);
    next.send(heartbeat(1, { phase: 'unready' }));
    await eventually('the new heartbeat', () => registry.get('a1')?.phase === 'unready');
    assert.equal(registry.get('a1')?.connected, true);
    assert.equal(registry.get('a1')?.lostAt, undefined);
  });

  it('tells an agent to drain, and tells it again when it comes back', async (t) => {
    const { connect, registry } = await startSessions(t);
    assert.equal(registry.drain('a1', true, 'scale-down'), false);
    const drain = { type: 'drain', drain: true, reason: 'scale-down' };
    const first = await connect();
    first.send(hello('a1'));
    await eventually('the welcome', () => first.messages.length === 1);
    assert.equal(registry.drain('a1', true, 'scale-down'), true);
    await eventually('the drain', () => first.messages.length === 2);
    assert.deepEqual(first.messages[1], drain);
    first.socket.terminate();
    const second = await connect();
    second.send(hello('a1'));
    await eventually('both', () => second.messages.length === 2);
    assert.deepEqual(second.messages[1], drain);
    assert.equal(registry.drain('a1', false, 'load is back'), true);
    await eventually('the end of the drain', () => second.messages.length === 3);
    const third = await connect();
    third.send(hello('a1'));
    third.send(heartbeat(1));
    await eventually('the heartbeat', () => registry.get('a1')?.connected);
    assert.equal(third.messages.length, 1);
  });

  it('does not tell an agent to drain that was called back while it had no session', async (t) => {
    const { connect, registry } = await startSessions(t);
    registry.restore([]);
    const first = await connect();
    first.send(hello('a1'));
    await eventually('the welcome', () => first.messages.length >= 1);
    assert.equal(registry.drain('a1', true, 'it is kept warm'), true);
    first.send(heartbeat(1, { phase: 'draining' }));
    await eventually('the heartbeat', () => registry.get('a1')?.phase === 'draining');
    first.socket.terminate();
    await eventually('the loss', () => registry.get('a1')?.connected === false);
    assert.equal(registry.drain('a1', false, 'it is wanted'), false);
    const second = await connect();
    second.send(hello('a1'));
    await eventually('both', () => second.messages.length === 2);
    assert.deepEqual(second.messages[1], { type: 'drain', drain: false, reason: 'no drain is wanted' });
  });

  it("writes an agent's timeline into the audit with its own times", async (t) => {
    const { connect, entries } = await startSessions(t);
    const client = await connect();
    client.send(hello('a1', { container: 'c1', service: 'web' }));
    const timeline = [
      {
        event: 'slot.claimed',
        ageMs: 5000,
        haproxy: 'lb1:9999',
        backend: 'app',
        slot: 'node1',
        reason: 'first start',
      },
      { event: 'anything; else', ageMs: 10 },
    ];
    client.send(heartbeat(1, { events: timeline }));
    await eventually('the rows', () => entries.length === 3);
    const [, claimed, said] = entries;
    assert.equal(claimed?.event, 'slot.claimed');
    assert.equal(claimed?.actor, 'agent');
    assert.equal(claimed?.slot, 'node1');
    assert.equal(claimed?.container, 'c1');
    assert.ok(Math.abs(Date.now() - 5000 - (claimed?.at ?? 0)) < 4000);
    assert.equal(said?.event, 'agent.said');
    assert.deepEqual(said?.details, { said: 'anything; else' });
  });

  it('closes with 1012 when the coordinator shuts down, and loses nobody by it', async (t) => {
    const { connect, sessions, registry } = await startSessions(t);
    const client = await connect();
    client.send(hello('a1'));
    client.send(heartbeat(1));
    await eventually('the heartbeat', () => registry.get('a1')?.connected);
    await sessions.close();
    assert.equal(await client.closed, closeCodes.shuttingDown);
    assert.equal(registry.get('a1')?.lostAt, undefined);
    assert.equal(sessions.count, 0);
    await assert.rejects(connect(), /503/);
  });
});

describe('what a session refuses', () => {
  const bad: [string, unknown[], RegExp][] = [
    ['text that is not JSON', ['{'], /not of this protocol/],
    ['JSON that is no message', ['[1,2,3]'], /not of this protocol/],
    ['null', ['null'], /not of this protocol/],
    ['a heartbeat before hello', [heartbeat(1)], /not a hello/],
    ['an unknown type before hello', [{ type: 'future' }], /not a hello/],
    ['a second hello', [hello('a1'), hello('a1')], /second hello/],
    ['protocol version 0', [hello('a1', { v: 0 })], /not of this protocol/],
    ['a version that is no number', [hello('a1', { v: '1' })], /not of this protocol/],
    ['an empty name', [hello('')], /not of this protocol/],
    ['a name with a NUL', [hello('a\0')], /not of this protocol/],
    [
      'an event of before all calendars',
      [hello('a1'), heartbeat(1, { events: [{ event: 'slot.claimed', ageMs: 1e17 }] })],
      /not of this/,
    ],
    ['a name of 300 letters', [hello('a'.repeat(300))], /not of this protocol/],
    [
      'port 99999',
      [hello('a1'), heartbeat(1, { registrations: [{ haproxy: 'lb1', port: 99_999, state: 'ready' }] })],
      /not of this/,
    ],
    ['a phase that does not exist', [hello('a1'), heartbeat(1, { phase: 'asleep' })], /not of this/],
    [
      'a metric that is no number',
      [hello('a1'), heartbeat(1, { metrics: { queue: { value: 'NaN', ageMs: 0 } } })],
      /not of this/,
    ],
    [
      '65 registrations',
      [
        hello('a1'),
        heartbeat(1, { registrations: Array(65).fill({ haproxy: 'lb1', port: 1, state: 'none' }) }),
      ],
      /not of this/,
    ],
  ];
  for (const [what, messages, reason] of bad) {
    it(`closes with 4400: ${what}`, async (t) => {
      const { connect, sessions, log } = await startSessions(t);
      const client = await connect();
      for (const message of messages) client.send(message);
      assert.equal(await client.closed, closeCodes.badMessage);
      assert.match(client.closeReason, reason);
      assert.equal(sessions.counters.rejected, 1);
      assert.ok(log.lines.some((line) => line.fields['event'] === 'session.rejected'));
    });
  }

  it('closes with 4400: binary messages', async (t) => {
    const { connect } = await startSessions(t);
    const client = await connect();
    client.socket.send(Buffer.from(JSON.stringify(hello('a1'))));
    assert.equal(await client.closed, closeCodes.badMessage);
  });

  it('closes with 1009 a message over the size limit, also one made of many fragments', async (t) => {
    const { connect, registry } = await startSessions(t);
    const client = await connect();
    client.send(hello('a1', { filler: 'x'.repeat(maxMessageBytes) }));
    assert.equal(await client.closed, 1009);
    const fragmented = await connect();
    for (let sent = 0; sent <= maxMessageBytes; sent += 8192)
      fragmented.socket.send('x'.repeat(8192), { fin: false });
    assert.equal(await fragmented.closed, 1009);
    assert.deepEqual(registry.list(), []);
  });

  it('closes a connection that says no hello', async (t) => {
    const { connect } = await startSessions(t, { limits: { helloMs: 100, perSecond: 50, burst: 100 } });
    const client = await connect();
    assert.equal(await client.closed, closeCodes.badMessage);
    assert.match(client.closeReason, /no hello within 100 ms/);
  });

  it('closes with 4429 who sends too fast: messages, events or pings', async (t) => {
    const { connect } = await startSessions(t, { limits: { helloMs: 5000, perSecond: 10, burst: 50 } });
    const messages = await connect();
    messages.send(hello('a1'));
    for (let seq = 0; seq < 60; seq += 1) messages.send(heartbeat(seq));
    assert.equal(await messages.closed, closeCodes.tooFast);
    const timeline = await connect();
    timeline.send(hello('a2'));
    timeline.send(heartbeat(1, { events: Array(60).fill({ event: 'slot.claimed', ageMs: 0 }) }));
    assert.equal(await timeline.closed, closeCodes.tooFast);
    const pings = await connect();
    pings.send(hello('a3'));
    for (let count = 0; count < 60; count += 1) pings.socket.ping();
    assert.equal(await pings.closed, closeCodes.tooFast);
  });

  it('refuses with 401 a missing, wrong, longer or shorter token, and does not fill the log with it', async (t) => {
    const { connect, sessions, log } = await startSessions(t, { token: 'secret' });
    for (const authorization of [
      undefined,
      'Bearer wrong!',
      'Bearer secret2',
      'Bearer secre',
      'Bearer ',
      'Basic secret',
      'secret',
    ]) {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      await assert.rejects(connect({ headers }), /refused with 401/);
    }
    for (let count = 0; count < 30; count += 1) await assert.rejects(connect(), /refused with 401/);
    assert.equal(sessions.counters.unauthorized, 37);
    assert.ok(log.lines.length <= 15, `${log.lines.length} lines for 37 refusals`);
    assert.doesNotMatch(JSON.stringify(log.lines), /secret/);
    const client = await connect({ headers: { authorization: 'Bearer secret' } });
    client.send(hello('a1'));
    await eventually('the welcome', () => client.messages.length === 1);
  });

  it('takes the token of agents as well as the other one', async (t) => {
    const { connect, sessions } = await startSessions(t, { token: 'secret', agentToken: 'agents-only' });
    for (const token of ['secret', 'agents-only']) {
      const client = await connect({ headers: { authorization: `Bearer ${token}` } });
      client.send(hello(token));
      await eventually('the welcome', () => client.messages.length === 1);
    }
    await assert.rejects(connect({ headers: { authorization: 'Bearer agents' } }), /401/);
    assert.equal(sessions.counters.welcomed, 2);
  });

  it('refuses other paths, web pages, and without a token a foreign Host', async (t) => {
    const { connect } = await startSessions(t);
    await assert.rejects(connect({}, '/other'), /refused with 404/);
    await assert.rejects(connect({ origin: 'http://evil.example' }), /refused with 403/);
    await assert.rejects(connect({ headers: { host: 'rebound.example' } }), /refused with 403/);
  });

  it('survives what is not HTTP or not WebSocket at all', async (t) => {
    const { connect, port } = await startSessions(t);
    const attempts = [
      '\0\x01\x02\x03\r\n\r\n',
      'GET /agent HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      'GET /agent HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
      'GET /agent HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff',
    ];
    for (const attempt of attempts) {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.write(attempt, 'latin1');
      await closed;
    }
    const client = await connect();
    client.send(hello('a1'));
    await eventually('the welcome', () => client.messages.length === 1);
  });
});

describe('dead peers', () => {
  it('counts an agent as lost that is silent for three heartbeats and answers no ping', async (t) => {
    const { connect, registry, entries } = await startSessions(t, { heartbeatMs: 50 });
    const client = await connect();
    client.send(hello('a1'));
    client.send(heartbeat(1));
    await eventually('the heartbeat', () => registry.get('a1')?.connected);
    // As SIGSTOP does: the connection stays open, nothing is read and nothing is sent.
    client.socket.pause();
    await eventually('the loss', () => registry.get('a1')?.lostAt !== undefined);
    assert.match(entries.at(-1)?.reason ?? '', /silent for 3 heartbeats/);
    assert.equal(entries.at(-1)?.event, 'agent.lost');
  });

  it('keeps a session whose agent beats slowly but answers pings', async (t) => {
    const { connect, registry } = await startSessions(t, { heartbeatMs: 40 });
    const client = await connect();
    let pings = 0;
    client.socket.on('ping', () => {
      pings += 1;
    });
    client.send(hello('a1'));
    client.send(heartbeat(1));
    await eventually('ten pings', () => pings >= 10);
    assert.equal(registry.get('a1')?.connected, true);
  });

  it('calls nobody dead because the coordinator itself stood still', async (t) => {
    const { connect, registry } = await startSessions(t, { heartbeatMs: 50 });
    const client = await connect();
    client.send(hello('a1'));
    client.send(heartbeat(1));
    await eventually('the heartbeat', () => registry.get('a1')?.connected);
    let lost = false;
    registry.onChange(() => {
      lost ||= registry.get('a1')?.lostAt !== undefined;
    });
    let pongs = 0;
    client.socket.on('ping', () => {
      pongs += 1;
    });
    for (let round = 0; round < 3; round += 1) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
      const before = pongs;
      await eventually('pings go on', () => pongs > before + 2);
    }
    assert.equal(lost, false);
  });
});

describe('recorded transcripts', () => {
  const folder = join(import.meta.dirname, 'transcripts');
  for (const file of readdirSync(folder)) {
    it(`is served as it was: ${file}`, async (t) => {
      const { connect, registry } = await startSessions(t);
      const client = await connect();
      let expected = 0;
      for (const line of readFileSync(join(folder, file), 'utf8').trim().split('\n')) {
        const step: { agent?: object; coordinator?: object; knows?: object } = JSON.parse(line);
        if (step.agent !== undefined) client.send(step.agent);
        if (step.coordinator !== undefined) {
          expected += 1;
          await eventually(line, () => client.messages.length >= expected);
          assert.partialDeepStrictEqual(client.messages[expected - 1], step.coordinator);
        }
        if (step.knows !== undefined) {
          const wanted = step.knows;
          const matches = () => {
            assert.partialDeepStrictEqual(JSON.parse(JSON.stringify(registry.list()[0] ?? null)), wanted);
            return true;
          };
          await eventually(
            line,
            () => {
              try {
                return matches();
              } catch {
                return false;
              }
            },
            3000,
          ).catch(matches);
        }
      }
    });
  }
});

// The Runtime API's client against servers that misbehave in every way, over real sockets: each has its coded error
// within its deadline, and leaves no connection and no timer behind.
import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { BerthError, type ErrorCode, isBerthError } from '../../shared/errors.ts';
import { commands } from '../../shared/haproxy/commands.ts';
import { createRuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { parseInfo, parseServersState, parseStat } from '../../shared/haproxy/servers-state.ts';
import { haproxyVersions, startHaproxy } from '../bench/haproxy.ts';
import { freePort, until } from '../bench/wait.ts';
import { startFakeCli } from './fake-cli.ts';

const deadlineMs = 300;
const replies = ['', '', 'Pid: 1'];
const wire = replies.map((reply) => `${reply}\n\n> `).join('');

/** One transaction of one command against `behave`; `got` is the error's code, or `ok`. */
async function outcomeOf(behave: (socket: Socket) => void, itsTimers = 0) {
  const before = { connections: open(/TCP|Pipe|TLS/), timers: open(/Timeout/) };
  const cli = await startFakeCli(behave);
  const started = performance.now();
  const result = await createRuntimeApi(cli.endpoint, deadlineMs)
    .transact([commands.showInfo()])
    .then(
      () => ({ got: 'ok' as const, message: '', hint: '' }),
      (error: unknown) => {
        assert.ok(isBerthError(error), String(error));
        return { got: error.code, message: error.message, hint: error.hint ?? '' };
      },
    );
  const ms = performance.now() - started;
  assert.ok(open(/Timeout/) <= before.timers + itsTimers, 'a timer is left');
  await until(() => cli.open() === 0, { what: 'the client has closed its connection' });
  await cli[Symbol.asyncDispose]();
  await until(() => open(/TCP|Pipe|TLS/) <= before.connections, { what: 'no socket is left' });
  // Generous, for a busy machine: without a deadline it would hang for ever.
  assert.ok(ms < deadlineMs + 2000, `took ${ms} ms`);
  return result;
}

const open = (kind: RegExp) => process.getActiveResourcesInfo().filter((name) => kind.test(name)).length;

const never = () => undefined;
const misbehaviours: readonly {
  name: string;
  behave: (socket: Socket) => void;
  got: ErrorCode | 'ok';
  says?: RegExp;
  /** Timers of the server itself. */
  timers?: number;
}[] = [
  { name: 'says nothing', behave: never, got: 'haproxy.timeout', says: /0 of 1 replies within 300 ms/ },
  {
    name: 'closes at once',
    behave: (socket) => socket.end(),
    got: 'haproxy.bad-reply',
    says: /closed the connection after 0 of 1 replies/,
  },
  { name: 'resets the connection', behave: (socket) => socket.resetAndDestroy(), got: 'haproxy.unreachable' },
  {
    name: 'gives half a reply and closes',
    behave: (socket) => socket.end(wire.slice(0, -6)),
    got: 'haproxy.bad-reply',
    says: /after 0 of 1 replies; last read: "Pid:/,
  },
  {
    name: 'gives half a reply and falls silent',
    behave: (socket) => socket.write(wire.slice(0, -1)),
    got: 'haproxy.timeout',
  },
  {
    name: 'answers byte by byte, in time',
    behave: async (socket) => {
      for (const byte of wire) {
        await delay(2);
        socket.write(byte);
      }
    },
    got: 'ok',
  },
  {
    name: 'answers byte by byte, too slowly',
    behave: async (socket) => {
      for (const byte of wire) {
        await delay(50);
        if (!socket.writable) break;
        socket.write(byte);
      }
    },
    timers: 1,
    got: 'haproxy.timeout',
  },
  {
    name: 'never stops talking',
    behave: (socket) => {
      const noise = Buffer.alloc(1 << 20, 'noise ');
      const talk = () => {
        while (socket.writable && socket.write(noise));
      };
      socket.on('drain', talk);
      talk();
    },
    got: 'haproxy.bad-reply',
    says: /sent \d+ bytes and only 0 of 1 replies; last read: "noise/,
  },
  {
    name: 'is an HTTP server',
    behave: (socket) => httpServer.emit('connection', socket),
    got: 'haproxy.bad-reply',
    says: /last read: "HTTP\/1\.1 400/,
  },
  {
    name: 'speaks first and then as it should',
    behave: (socket) => socket.write(`220 welcome\r\n${wire}`),
    got: 'ok',
  },
];
const httpServer = createHttpServer((_, response) => response.end('hello'));

describe('a server in place of the Runtime API', () => {
  for (const { name, behave, got, says, timers } of misbehaviours) {
    test(`that ${name}: ${got}`, async () => {
      const outcome = await outcomeOf(behave, timers);
      assert.equal(outcome.got, got, outcome.message);
      if (says !== undefined) assert.match(outcome.message, says);
      if (got !== 'ok') assert.notEqual(outcome.hint, '');
    });
  }

  test('that answers any bytes: replies or a coded error, and parsers refuse what is nonsense', async (t) => {
    const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
    t.diagnostic(`seed ${seed}; repeat with FC_SEED=${seed}`);
    let bytes: Uint8Array = new Uint8Array();
    await using cli = await startFakeCli((socket) => socket.end(bytes));
    const api = createRuntimeApi(cli.endpoint, 2000);
    const piece = fc.oneof(
      fc.constantFrom(
        '\n> ',
        '\n\n> ',
        '[3]: ',
        '1\n',
        '# be_id be_name',
        '# pxname,svname,\n',
        'Pid: x\n',
        ' ',
      ),
      fc.string(),
    );
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(piece, { maxLength: 30 }).map((pieces) => new TextEncoder().encode(pieces.join(''))),
    );
    await fc.assert(
      fc.asyncProperty(noise, async (chosen) => {
        bytes = chosen;
        try {
          const { replies } = await api.transact([commands.showInfo()]);
          for (const parse of [parseInfo, parseServersState, parseStat]) {
            const [reply] = replies;
            assert.ok(reply);
            assert.throws(() => parse(reply), BerthError);
          }
        } catch (error) {
          assert.ok(isBerthError(error, 'haproxy.bad-reply', 'haproxy.unreachable'), String(error));
        }
      }),
      { seed, numRuns: 300 },
    );
  });

  test('that is not there: haproxy.unreachable, at once', async () => {
    const port = await freePort();
    await assert.rejects(createRuntimeApi({ name: 'x', host: '127.0.0.1', port }).transact([]), (error) =>
      isBerthError(error, 'haproxy.unreachable'),
    );
  });

  test('whose network is gone fails by its error, not by an exception of the process', async () => {
    // These two fail within the very call that opens the socket.
    const endpoints = [
      { name: 'broadcast', host: '255.255.255.255', port: 1 },
      { name: 'long path', host: '', port: 0, path: `/${'x'.repeat(300)}` },
    ];
    for (const endpoint of endpoints) {
      const tried = new Promise((resolve) => {
        setTimeout(() => resolve(createRuntimeApi(endpoint).transact([])), 1);
      });
      await assert.rejects(tried, (error) => isBerthError(error, 'haproxy.unreachable'), endpoint.name);
    }
  });

  test('is let go when the caller gives up', async () => {
    await using cli = await startFakeCli(never);
    const api = createRuntimeApi(cli.endpoint, 60_000);
    await assert.rejects(api.transact([], AbortSignal.abort(new Error('before'))), /before/);
    assert.equal(cli.open(), 0);
    const stop = new AbortController();
    const tried = api.transact([], stop.signal);
    await until(() => cli.open() === 1, { what: 'it is connected' });
    stop.abort(new Error('meanwhile'));
    await assert.rejects(tried, /meanwhile/);
    await until(() => cli.open() === 0, { what: 'the client has closed its connection' });
  });
});

for (const version of haproxyVersions) {
  test(`HAProxy ${version}: the unix socket; all 10 connections used up is a timeout that says so, and passes`, async () => {
    await using haproxy = await startHaproxy({ version, config: { slots: 3, statsMaxconn: 10 } });
    const unix = createRuntimeApi({ name: haproxy.socket, host: '', port: 0, path: haproxy.socket });
    const one = await unix.transact([commands.showInfo(), commands.showServersState('app')]);
    assert.equal(one.localAddress, undefined);
    assert.equal(
      one.replies.flatMap((reply, index) => (index === 1 ? parseServersState(reply) : [])).length,
      3,
    );

    const idle = Array.from({ length: 10 }, () => connect(haproxy.cliPort, '127.0.0.1'));
    for (const socket of idle) socket.on('error', () => undefined).write('prompt\n');
    const endpoint = { name: 'lb', host: '127.0.0.1', port: haproxy.cliPort };
    const tcp = createRuntimeApi(endpoint, 400);
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('data', resolve))));
    await assert.rejects(tcp.transact([commands.showInfo()]), (error) => {
      assert.ok(isBerthError(error, 'haproxy.timeout'));
      assert.match(error.hint ?? '', /stats maxconn/);
      return true;
    });
    for (const socket of idle) socket.destroy();
    const { localAddress } = await until(() => tcp.transact([commands.showInfo()]), {
      what: 'there is room again',
    });
    assert.equal(localAddress, '127.0.0.1');
  });
}

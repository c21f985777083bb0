import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseConfigFile } from '../../coordinator/config/config-file.ts';
import { options } from '../../coordinator/config/options.ts';
import { readConfig } from '../../coordinator/config/read-config.ts';
import { eventually } from './eventually.ts';
import { heartbeat, hello, startSessions } from './session-bench.ts';

// fast-check prints the seed of a failing run.

const keys = fc.constantFrom(
  'type',
  'v',
  'agent',
  'seq',
  'phase',
  'registrations',
  'metrics',
  'events',
  'reason',
  '__proto__',
  'x',
);
const values = fc.oneof(
  fc.constantFrom('hello', 'heartbeat', 'goodbye', 'ready', 1, 0, -1, 1e308, null, true, [], {}),
  fc.jsonValue({ maxDepth: 3 }),
);
const message = fc.oneof(
  { weight: 3, arbitrary: fc.dictionary(keys, values).map((fields) => JSON.stringify(fields)) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(hello('fuzz'), heartbeat(1), { type: 'goodbye', reason: 'x' }), keys, values)
      .map(([good, key, value]) => JSON.stringify({ ...good, [key]: value })),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
);

describe('whatever is sent', () => {
  it('to a session: it ends or goes on, and other agents do not notice', async (t) => {
    const { connect, registry } = await startSessions(t);
    const good = await connect();
    good.send(hello('good'));
    good.send(heartbeat(1));
    await eventually('the good agent', () => registry.get('good')?.connected);
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(message, { minLength: 1, maxLength: 10 }),
        async (greets, messages) => {
          const client = await connect();
          if (greets) client.send(hello('fuzz'));
          for (const text of messages) client.send(text);
          // The answer to a ping comes after everything before it was read.
          const answered = new Promise((resolve) => client.socket.once('pong', resolve));
          client.socket.ping();
          await Promise.race([answered, client.closed]);
          client.socket.terminate();
          assert.equal(registry.get('good')?.connected, true);
          assert.ok(registry.list().every((record) => Array.isArray(record.registrations)));
        },
      ),
      { numRuns: 300 },
    );
    good.send(heartbeat(2, { phase: 'draining' }));
    await eventually('the good agent is heard', () => registry.get('good')?.phase === 'draining');
  });

  it('in the environment: a configuration, or problems of one line each that show no secret', () => {
    const names = fc.constantFrom(...Object.values(options).map((option) => option.env));
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.constantFrom(
        '',
        '0',
        '-1',
        '99999',
        'a;b',
        'a\nb',
        'unix@/x',
        '[::]:1',
        '1e9',
        '9'.repeat(400),
        '::1,lb',
        'sqlite:',
        'mysql://',
      ),
    );
    const secret = 'hush-hush';
    fc.assert(
      fc.property(fc.dictionary(names, texts), (env) => {
        const full = { ...env, BERTH_TOKEN: `${secret} ${env['BERTH_TOKEN'] ?? ''}` };
        const { config, problems } = readConfig({ env: full, path: undefined, readFile: () => 'text' });
        assert.equal(config === undefined, problems.length > 0);
        for (const problem of problems) {
          assert.doesNotMatch(problem, /[\n\r]/);
          assert.doesNotMatch(problem, new RegExp(secret));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('in the file: values, or problems with their places', () => {
    const lines = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.constantFrom(
        'haproxy:',
        '  server: lb1',
        '  port: [1, 2]',
        '- a',
        'listen: &a x',
        'name: *a',
        '? x',
        'a: {',
        '"',
        'haproxy: {server: lb1}',
        '<<: *a',
        '\ttab',
      ),
    );
    fc.assert(
      fc.property(fc.array(lines, { maxLength: 12 }), (text) => {
        const { problems } = parseConfigFile('berth.yaml', text.join('\n'), [
          'haproxy.server',
          'haproxy.port',
          'listen',
          'name',
        ]);
        for (const problem of problems) assert.match(problem, /^berth\.yaml:\d+:\d+: ./);
      }),
      { numRuns: 2000 },
    );
  });
});

// What a registration says of an error fits into a heartbeat, whatever HAProxy's configuration is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registration } from '../../agent/registration.ts';
import { systemClock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import { findDynamicBackend } from '../../shared/haproxy/find-dynamic-backend.ts';
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import { findTemplate } from '../../shared/haproxy/slots.ts';
import { registrationSchema } from '../../shared/protocol.ts';
import { until } from '../bench/wait.ts';

const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

test('an error of any length is cut to what the coordinator takes', async () => {
  const ending = new AbortController();
  const registration = new Registration(
    {
      endpoint: { name: 'lb', host: 'lb', port: 1 },
      nodeCount: 1,
      slotPrefix: 'node',
      backend: undefined,
      port: 80,
      host: '10.0.0.1',
      id: 'a',
      gate: 'app',
      stateFile: undefined,
    },
    {
      log,
      clock: systemClock,
      onChange: quiet,
      onEvent: quiet,
      api: {
        transact: async () => {
          throw new Error('x'.repeat(5000));
        },
      },
    },
  );
  const running = registration.run(ending.signal);
  const error = await until(() => registration.report().error, { what: 'an error' });
  assert.equal(error.length, 1000);
  assert.ok(registrationSchema.safeParse(registration.report()).success);
  ending.abort();
  await running;
});

test('of many backends some are listed', () => {
  const names = Array.from({ length: 500 }, (_, index) => `backend-with-a-long-name-${index}`);
  const rows = names.map(
    (backend): ServerRow => ({
      backend,
      backendId: 3,
      serverId: 1,
      name: 'node1',
      address: '127.0.0.1',
      port: 3128,
      operationalState: 0,
      adminState: 5,
      checkResult: 0,
      checkState: 6,
      templated: true,
      secondsSinceChange: 1,
    }),
  );
  const stats = names.map((pxname) => ({ pxname, svname: 'BACKEND', algo: 'roundrobin' }));
  for (const act of [
    () => findTemplate(rows, { backend: 'other', prefix: 'node', count: 1 }),
    () => findTemplate(rows, { backend: undefined, prefix: 'node', count: 1 }),
    () => findDynamicBackend(stats, []),
  ]) {
    assert.throws(act, (error) => {
      const text = describeError(error);
      assert.match(text, /backend-with-a-long-name-9 and 490 more/);
      return text.length < 1000;
    });
  }
});

// An app that has ended is out of traffic at once, whatever its agent is doing for others.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Registration } from '../../agent/registration.ts';
import { systemClock } from '../../shared/clock.ts';
import { createRuntimeApi, type RuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { freeAddress, holds, isInMaintenance } from '../../shared/haproxy/slots.ts';
import { startHaproxy } from '../bench/haproxy.ts';
import { until } from '../bench/wait.ts';
import { endpointOf, Fleet } from './fleet.ts';

const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

test('a sweep that goes on for long is cut short when the app has ended', async () => {
  const haproxy = await startHaproxy({ config: { slots: 2 } });
  await using fleet = new Fleet([haproxy], 2);
  const real = createRuntimeApi(endpointOf(haproxy));
  let sweeps = 0;
  let swept = false;
  // The first read of the whole backend after the slot was claimed is the sweep's; it never ends by itself.
  const api: RuntimeApi = {
    transact: async (commands, signal) => {
      const isSweep =
        registration.report().slot !== undefined && commands.join().startsWith('show servers state');
      if (isSweep && !swept && signal !== undefined) {
        sweeps += 1;
        swept = true;
        await once(signal, 'abort');
        signal.throwIfAborted();
      }
      return real.transact(commands, signal);
    },
  };
  const registration: Registration = new Registration(
    {
      endpoint: endpointOf(haproxy),
      nodeCount: 2,
      slotPrefix: 'node',
      backend: 'app',
      port: 80,
      host: '127.0.0.9',
      id: 'a',
      gate: 'app',
      stateFile: undefined,
    },
    { log, clock: systemClock, onChange: quiet, onEvent: quiet, api },
  );
  const ending = new AbortController();
  registration.want('ready', 'the test says so');
  const running = registration.run(ending.signal).then(() => true);
  await until(() => sweeps === 1, { what: 'a sweep has begun' });
  let ended = false;
  void running.then(() => {
    ended = true;
  });
  registration.want('gone', 'the app has ended');
  try {
    await until(() => ended, { what: 'it has left', deadlineMs: 5000 });
    const rows = await fleet.rows();
    assert.ok(rows.every((row) => isInMaintenance(row)));
    assert.equal(rows.filter((row) => holds(row, freeAddress)).length, 1);
    assert.equal(registration.report().error, undefined);
  } finally {
    ending.abort();
    await running;
  }
});

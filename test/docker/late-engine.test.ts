// A coordinator that starts before dockerd has made its socket finds the engine later.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { awaitEndpoint } from '../../coordinator/services/docker-endpoints.ts';
import { Fleet } from '../../coordinator/services/fleet.ts';
import { findEndpoint } from '../../coordinator/targets/docker/find-endpoint.ts';
import { BerthError, describeError, isBerthError } from '../../shared/errors.ts';
import { HandClock } from '../alerts/hand-clock.ts';
import { until } from '../bench/wait.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { startFakeEngine } from './fake-engine.ts';

it('is found when it is there, is looked for later and later, and what it has is seen', async () => {
  await using engine = await startFakeEngine(3);
  const root = await mkdtemp(join(tmpdir(), 'berth-late-'));
  const log = memoryLog();
  const clock = new HandClock('2026-03-02T10:00:00Z');
  const fleet = new Fleet([], { log, clock, agents: () => [] });
  let changes = 0;
  fleet.onChange(() => {
    changes += 1;
  });
  const loops = new AbortController();
  const looks: number[] = [];
  const started = clock.monotonic();
  const look = async () => {
    looks.push((clock.monotonic() - started) / 1000);
    if (looks.length === 2 || looks.length === 3)
      throw new BerthError('config.invalid', 'the context nowhere cannot be read');
    const surroundings = { env: {}, home: root, uid: 0, root };
    return findEndpoint(surroundings, log).catch((error: unknown) => {
      assert.ok(isBerthError(error, 'docker.unavailable'), describeError(error));
      return undefined;
    });
  };
  /** Lets it sleep to the end. */
  const nextLook = async () => {
    const count = looks.length;
    await until(() => clock.sleeping === 1, { what: 'it waits for its next look' });
    while (looks.length === count) {
      clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  try {
    const found = awaitEndpoint(look, { log, clock }, loops.signal);
    for (let count = 0; count < 7; count += 1) await nextLook();
    assert.deepEqual(looks, [1, 3, 7, 15, 31, 61, 91]);
    assert.equal(log.lines.filter(({ level }) => level === 'warn').length, 1, 'said once');
    const socket = join(root, 'var/run/docker.sock');
    await mkdir(dirname(socket), { recursive: true });
    await symlink(engine.socketPath, socket);
    await nextLook();
    const endpoint = (await found) ?? assert.fail('it is found');
    assert.deepEqual(endpoint.address, { socketPath: socket });
    assert.equal(fleet.empty, true);
    fleet.add(endpoint);
    assert.equal(fleet.empty, false);
    const running = fleet.run(loops.signal);
    await until(() => fleet.instances().length === 3, { what: 'its containers are seen' });
    assert.ok(changes > 0, 'who listened before hears of it');
    loops.abort();
    await running;
  } finally {
    loops.abort();
    await rm(root, { recursive: true, force: true });
  }
});

it('is not waited for any longer when the coordinator ends', async () => {
  const ended = new AbortController();
  const clock = new HandClock('2026-03-02T10:00:00Z');
  const found = awaitEndpoint(async () => undefined, { log: memoryLog(), clock }, ended.signal);
  ended.abort();
  assert.equal(await found, undefined);
});

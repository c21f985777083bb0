// What observing costs the engine: requests, counted by a fake engine with 1,000 containers. (Time is measured by
// test/benchmarks/docker.ts.)
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { createDockerClient, type DockerClient } from '../../coordinator/targets/docker/client.ts';
import { readDetails } from '../../coordinator/targets/docker/container-details.ts';
import { type Cached, keyOf, planReads } from '../../coordinator/targets/docker/details-cache.ts';
import { DockerObserver } from '../../coordinator/targets/docker/observer.ts';
import { type Clock, systemClock } from '../../shared/clock.ts';
import { until } from '../bench/wait.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { type FakeEngine, startFakeEngine } from './fake-engine.ts';

const count = 1000;
let engine: FakeEngine;
let client: DockerClient;
before(async () => {
  engine = await startFakeEngine(count);
  client = createDockerClient({
    name: 'fake',
    address: { socketPath: engine.socketPath },
    tls: undefined,
    from: 'the test',
  });
});
after(async () => {
  client.close();
  await engine[Symbol.asyncDispose]();
});

describe('observing 1,000 containers', () => {
  it('is one listing a look, and an inspection only where something may have changed', async (t) => {
    const stop = new AbortController();
    t.after(() => stop.abort());
    let later = 0;
    const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + later };
    const observer = new DockerObserver({ client, log: memoryLog(), clock, intervalMs: 60_000 });
    void observer.run(stop.signal);
    await until(() => observer.view().known && engine.asked.lists >= 2, {
      what: 'it has looked',
      deadlineMs: 30_000,
    });
    const look = async () => {
      const { lists, inspects } = engine.asked;
      const { instances } = await observer.lookAgain(stop.signal);
      return { instances, lists: engine.asked.lists - lists, inspects: engine.asked.inspects - inspects };
    };
    const { instances } = await look();
    assert.equal(engine.asked.inspects, count);
    assert.equal(instances.length, count);
    assert.equal(new Set(instances.map(({ name }) => name)).size, count);
    assert.ok(
      instances.every(
        ({ service, state, health }) => service === 'web' && state === 'running' && health === 'healthy',
      ),
    );
    const [first = '', second = '', third = ''] = engine.ids;
    const find = (id: string) => observer.view().instances.find((instance) => instance.id === id);

    for (let round = 0; round < 3; round += 1) {
      const { lists, inspects } = await look();
      assert.deepEqual({ lists, inspects }, { lists: 1, inspects: 0 });
    }
    const before = engine.asked.inspects;
    engine.end(first, true);
    await until(() => find(first)?.state === 'exited', { what: 'an end that an event told of is seen' });
    assert.equal(engine.asked.inspects - before, 1);
    engine.end(second, false);
    engine.restart(third, false);
    assert.equal((await look()).inspects, 2);
    assert.equal(find(second)?.state, 'exited');
    // A minute later everything is read again, but not at once.
    later = 61_000;
    assert.equal((await look()).inspects, 32);
    assert.equal((await look()).inspects, 32);
  });
});

describe('what is inspected', () => {
  const listed = (number: number, state = 'running', endpoint = 'e') => ({
    Id: String(number),
    Names: [`/c${number}`],
    Image: 'i',
    ImageID: '',
    Created: 0,
    State: state,
    Status: '',
    NetworkSettings: { Networks: { n: { IPAddress: '', GlobalIPv6Address: '', EndpointID: endpoint } } },
  });
  const details = readDetails({
    Id: '1',
    Name: '/c1',
    Created: '',
    Image: '',
    RestartCount: 0,
    State: { Status: 'running', ExitCode: 0, OOMKilled: false, StartedAt: '', FinishedAt: '' },
    Config: { Image: '', Hostname: '' },
    HostConfig: { NetworkMode: 'n' },
    NetworkSettings: {},
  });
  const cached = (number: number, readAt: number, failedAt?: number): Cached => ({
    key: keyOf(listed(number)),
    details,
    readAt,
    failedAt,
  });

  it('is what is new, has changed, was named by an event, or could not be read a while ago', () => {
    const now = 100_000;
    const known = new Map([
      ['1', cached(1, now)],
      ['2', cached(2, now)],
      ['3', cached(3, now)],
      ['4', cached(4, now)],
      ['5', cached(5, now, now - 31_000)],
      ['6', cached(6, now, now - 1000)],
    ]);
    const containers = [
      listed(1),
      listed(2, 'exited'),
      listed(3, 'running', 'f'),
      listed(4),
      listed(5),
      listed(6),
      listed(7),
    ];
    assert.deepEqual(planReads(containers, known, new Set(['4', '9']), now), ['2', '3', '4', '5', '7']);
  });

  it('is everything within the time that it takes to go round, whatever the order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 200 }),
        (ages) => {
          const now = 200_000;
          const known = new Map(ages.map((age, index) => [String(index), cached(index, now - age)]));
          const containers = ages.map((_, index) => listed(index));
          let rounds = 0;
          for (;;) {
            const reads = planReads(containers, known, new Set(), now);
            assert.ok(reads.length <= 32 && new Set(reads).size === reads.length);
            if (reads.length === 0) break;
            for (const id of reads) known.set(id, cached(Number(id), now));
            rounds += 1;
          }
          assert.equal(rounds, Math.ceil(ages.filter((age) => age > 60_000).length / 32));
        },
      ),
    );
  });
});

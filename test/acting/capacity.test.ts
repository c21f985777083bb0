// Room on a real Docker Engine: instances with limits that exceed the machine. What fits is made, the rest is held with
// the host, what was asked and what is free; other services go on; room that comes free is used, by priority.
import assert from 'node:assert/strict';
import { totalmem } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { OwnEngines } from './own-engines.ts';

const image = 'berth-bench/tiny:1';
const percentOfMemory = (percent: number) => ['--memory', String(Math.floor((totalmem() * percent) / 100))];

const policies = `policies:
  - name: first
    service: first
    minReplicas: 1
    maxReplicas: 6
    priority: 10
    interval: 250ms
    metrics:
      - name: load
        source: { type: pushed, metric: load }
        target: { type: AverageValue, averageValue: 10 }
  - name: last
    service: last
    minReplicas: 1
    maxReplicas: 6
    interval: 250ms
    metrics:
      - name: load
        source: { type: pushed, metric: load }
        target: { type: AverageValue, averageValue: 10 }
`;

describe('room on a Docker host', () => {
  let engines: OwnEngines;
  before(async () => {
    engines = await OwnEngines.set([{ name: 'lab', images: [image] }], {
      policies,
      env: { BERTH_HOST_CPU: '100%' },
    });
    await engines.begin('wide', 'lab', image, percentOfMemory(25));
  });
  after(() => engines?.[Symbol.asyncDispose]());

  it('is used to the last, and the plan says what is missing for the rest', async () => {
    const since = Date.now();
    await engines.scale('wide', 5);
    const { plan } = await engines.see('wide', 'has 3 and holds', ({ serving, current, plan: steps }) => {
      return serving === 3 && current === 3 && steps.some(({ step }) => step === 'hold');
    });
    assert.match(
      plan.map(({ reason }) => reason).join(),
      /^2 more wanted, but no capacity: lab has [\d.]+ [MG]B of memory free of [\d.]+ GB, [\d.]+ GB asked for$/,
    );
    const [held] = await engines.audit(since, 'wide', 'service.held');
    assert.match(held?.reason ?? '', /no capacity: lab has/);
    assert.deepEqual(await engines.audit(since, 'wide', 'instance.failed'), []);
    assert.equal((await engines.names('wide')).length, 3, 'none was made only to be refused');
  });

  it('is not asked for by a service without limits, which is scaled meanwhile', async () => {
    await engines.begin('light', 'lab', image);
    await engines.reach('light', 3);
  });

  it('counts CPUs as well, and what containers of others are promised', async () => {
    await engines.reach('wide', 1);
    const cores = Number(await engines.engine('lab').daemon.run(['info', '-f', '{{.NCPU}}']));
    await engines
      .engine('lab')
      .daemon.run(['run', '-d', '--name', 'stranger', '--cpus', '0.75', image, 'sleep', '600']);
    await engines.begin('busy', 'lab', image, ['--cpus', '0.5']);
    await engines.scale('busy', 40);
    const fits = Math.floor((cores - 0.75) / 0.5);
    const { plan } = await engines.see('busy', `has ${fits} and holds`, ({ serving, plan: steps }) => {
      return serving === fits && steps.some(({ step }) => step === 'hold');
    });
    const asked = new RegExp(
      `^${40 - fits} more wanted, but no capacity: lab has [\\d.]+ CPUs free of ${cores}, 0.5 asked`,
    );
    assert.match(plan.map(({ reason }) => reason).join(), asked);
    // A stopped one is promised nothing: its room is used as soon as it is seen.
    await engines.engine('lab').daemon.run(['rm', '-f', 'stranger']);
    await engines.see('busy', 'uses what came free', ({ serving }) => serving > fits);
    await engines.reach('busy', 0);
    const running = () => engines.engine('lab').daemon.run(['ps', '--filter', 'label=berth.port', '-q']);
    let held: readonly string[] = [];
    await engines
      .see('busy', 'has left no slot behind', async () => {
        held = await engines.heldSlots();
        return held.length === (await running()).trim().split('\n').length;
      })
      .catch((error: unknown) => {
        throw new Error(`slots: ${held.join('; ')}`, { cause: error });
      });
  });

  it('goes to the service whose policy has the higher priority, and decisions say NoCapacity', async (t) => {
    await engines.reach('wide', 1);
    await engines.begin('last', 'lab', image, percentOfMemory(25));
    await engines.begin('first', 'lab', image, percentOfMemory(25));
    const since = Date.now();
    // Again and again, as a source does: what was pushed grows old.
    const push = () => engines.coordinator.write('POST', '/api/v1/metrics', { name: 'load', value: 60 });
    await push();
    const pushing = setInterval(() => void push().catch(() => undefined), 100);
    t.after(() => clearInterval(pushing));
    for (const service of ['last', 'first'])
      await engines.see(service, 'gets no more and says why', async ({ serving }) => {
        const held = await engines.audit(since, service, 'scale.held');
        return serving === 1 && held.some(({ reason }) => /stays at 1, 6 wanted \(NoCapacity/.test(reason));
      });
    // The room of one comes free.
    await engines.reach('wide', 0);
    const { serving } = await engines.see('first', 'has the last room', ({ serving: count }) => count === 2);
    assert.equal(serving, 2);
    assert.equal((await engines.view('last')).current, 1);
    const { items } = await engines.coordinator.read<{ items: { service: string; explanation: string }[] }>(
      '/api/v1/decisions',
    );
    const last = items.find(({ service }) => service === 'last');
    assert.match(last?.explanation ?? '', /the hosts can take 0 more, then no capacity: lab has/);
    const decided = await engines.audit(since, 'last', 'scale.decided');
    assert.deepEqual(
      decided.filter(({ to }) => to !== 1),
      [],
    );
  });
});

// A service that is to be available: whatever ends or breaks its instances, as many serve again, and what an operator
// has taken out of traffic through Berth is left alone.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import { startLoad } from '../bench/load.ts';
import { freePort } from '../bench/wait.ts';
import { Stage } from './stage.ts';

const crashing = { labels: { 'berth.availability': 'true' } };

describe('a service with berth.availability', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.set({ slots: 10 });
    await stage.apps(3, { labels: { 'berth.availability': 'true' } });
  });
  after(() => stage[Symbol.asyncDispose]());

  const names = async () => (await stage.containers()).map(({ name }) => name);
  const first = async () => {
    const [one] = (await stage.view()).instances.filter(({ serving }) => serving);
    return one ?? assert.fail('one serves');
  };

  it('starts one again that was stopped with docker stop', (t) =>
    restored(t, 0, async () => {
      await stage.engine.run(['stop', '-t', '20', (await first()).container]);
    }));

  it('starts one again that was killed', (t) =>
    restored(t, 100, async () => {
      await stage.engine.run(['kill', (await first()).container]);
    }));

  it('makes one again that was deleted', (t) =>
    restored(t, 100, async () => {
      await stage.engine.run(['rm', '-f', (await first()).container]);
    }));

  it('makes the one that people made as it was: its name, its port, its labels', async () => {
    const service = `${stage.service}-own`;
    const port = await freePort();
    const labels = { 'berth.availability': 'true', 'berth.protect': 'true', team: 'blue' };
    const publish = ['--publish', `127.0.0.1:${port}:8080`, '--rm'];
    const [id = ''] = await stage.apps(1, { service, labels, options: publish });
    const look = async () => {
      const [one, ...more] = await stage.containers(service);
      assert.ok(one !== undefined && more.length === 0, 'it is the only one');
      const format =
        '{{.Name}} {{.HostConfig.AutoRemove}} {{index .Config.Labels "berth.protect"}} {{index .Config.Labels "team"}} {{index .Config.Labels "berth.clone"}}';
      const told = (await stage.engine.run(['inspect', '-f', format, one.id])).trim();
      const published = (await stage.engine.run(['port', one.id, '8080'])).trim();
      return { id: one.id, name: one.name, told, published };
    };
    const first = await look();
    assert.match(first.told, / true true blue$/);
    const again = async (before: string) => {
      await stage.engine.run(['rm', '-f', before]);
      await stage.wait(
        async () => {
          const { serving, instances } = await stage.view(service);
          return serving === 1 && instances.every(({ container }) => container !== before);
        },
        'it serves again',
        undefined,
        service,
      );
      return look();
    };
    const second = await again(id);
    assert.deepEqual([second.name, second.published], [first.name, `127.0.0.1:${port}`]);
    // What Berth has made does not vanish by itself: it must be seen how it ended.
    assert.match(second.told, / false true blue$/);

    // The coordinator dies after it has made it, and before it has started it.
    await stage.coordinator.kill();
    await stage.coordinator.start({ BERTH_FAULT_KILL: 'create.between' });
    await stage.wait(async () => (await stage.view(service)).serving === 1, 'it knows', undefined, service);
    await stage.engine.run(['rm', '-f', second.id]);
    await stage.coordinator.ended();
    const halfMade = (await stage.containers(service)).map(({ name, state }) => [name, state]);
    assert.deepEqual(halfMade, [[first.name, 'created']]);
    await stage.coordinator.start();
    await stage.wait(
      async () => (await stage.view(service).catch(() => undefined))?.serving === 1,
      'another one serves',
      40_000,
      service,
    );
    const third = await look();
    assert.deepEqual([third.name, third.published], [first.name, `127.0.0.1:${port}`]);

    // Somebody else has the port by now.
    const thief = createServer();
    await stage.engine.run(['kill', third.id]);
    await new Promise<void>((resolve) => thief.listen(port, '127.0.0.1', resolve));
    try {
      const fourth = await again(third.id);
      assert.equal(fourth.name, first.name);
      assert.notEqual(fourth.published, `127.0.0.1:${port}`);
      await stage.scale(0, {}, service);
      await stage.engine.run(['rm', '-f', fourth.id]);
    } finally {
      await new Promise((resolve) => thief.close(resolve));
    }
  });

  it('makes all of them again when all were deleted', async (t) => {
    const ids = (await stage.containers()).map(({ id }) => id);
    await stage.engine.run(['rm', '-f', ...ids]);
    const took = await stage.settled(3, { deadlineMs: 60_000 });
    t.diagnostic(`all three are back after ${Math.round(took)} ms`);
  });

  it('leaves one that an operator has drained alone, until it is given back', async () => {
    const { agent, container } = await first();
    await stage.coordinator.write('POST', `/api/v1/agents/${agent}/drain`, {
      drain: true,
      reason: 'a look inside',
    });
    await stage.wait(async () => {
      const { instances, serving } = await stage.view();
      const one = instances.find((each) => each.container === container);
      return one?.byOperator === true && one.phase === 'draining' && serving === 3;
    }, 'it is out of traffic, and another one serves in its place');
    // A coordinator that begins anew still knows.
    await stage.coordinator.kill();
    await stage.coordinator.start();
    await stage.wait(async () => {
      const { instances, serving } = await stage.view();
      const one = instances.find((each) => each.container === container);
      return one?.byOperator === true && one.phase === 'draining' && one.state === 'running' && serving === 3;
    }, 'it is left alone after a restart of the coordinator');
    const back = { drain: false, reason: 'seen' };
    await stage.wait(
      () => stage.coordinator.write('POST', `/api/v1/agents/${agent}/drain`, back),
      'its agent has a session again and is told to come back',
    );
    await stage.settled(3);
  });

  it('says why a service that crashes again and again waits, and makes no heap of containers', async (t) => {
    const service = `${stage.service}-crash`;
    await stage.apps(1, { ...crashing, service });
    const since = Date.now();
    // It lives for a while and dies, whoever starts it.
    const kills = (async () => {
      for (let count = 0; count < 4; count += 1) {
        await stage.wait(
          async () => (await stage.containers(service)).some(({ state }) => state === 'running'),
          'one runs',
          30_000,
          service,
        );
        for (const { id, state } of await stage.containers(service))
          if (state === 'running') await stage.engine.run(['kill', id]).catch(() => undefined);
      }
    })();
    await kills;
    await stage.wait(
      async () =>
        (await stage.view(service)).plan.some(({ reason }) => /the next one is in \d+ s/.test(reason)),
      'the plan says that it waits',
      10_000,
      service,
    );
    const held = (await stage.coordinator.audit(since, { event: 'service.held', service })).map(
      ({ reason }) => reason,
    );
    t.diagnostic(held.join(' | '));
    assert.ok(held.length > 0, 'the audit says that it waits');
    assert.ok((await stage.containers(service)).length <= 2, (await names()).join(', '));
    await stage.wait(
      async () => (await stage.view(service)).serving === 1,
      'it serves again',
      30_000,
      service,
    );
  });

  /** Does it under load; the service has three again. */
  async function restored(t: TestContext, mayFail: number, act: () => Promise<void>): Promise<void> {
    await using load = startLoad({ url: `${stage.haproxy.url()}/`, ratePerSecond: 40, maxSeconds: 60 });
    await act();
    const took = await stage.settled(3);
    const counts = await load.stop();
    t.diagnostic(`${counts.sent} requests, ${counts.failed} failed, whole after ${Math.round(took)} ms`);
    assert.ok(counts.failed <= mayFail, JSON.stringify(counts.errors));
  }
});

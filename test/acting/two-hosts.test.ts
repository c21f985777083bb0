// One service on two Docker hosts, one of them reached over TLS: spread, shrunk, and kept while one host does not answer.
// Then its instances are unknown, not gone: none is made twice, none is taken out of traffic, and what is wanted beyond
// them is made on the host that answers.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { dockerEngine } from '../bench/docker.ts';
import { startLoad } from '../bench/load.ts';
import { runBerth } from '../coordinator/run-berth.ts';
import { type FarHost, startFarHost } from './far-host.ts';
import { Stage } from './stage.ts';

describe('a service on two Docker hosts', () => {
  let far: FarHost;
  let stage: Stage;
  let plain: string;
  before(async () => {
    far = await startFarHost();
    const near = { name: 'near', host: (await dockerEngine()).host };
    stage = await Stage.set({
      slots: 20,
      env: { BERTH_DOCKER_HOSTS: JSON.stringify([near, far.entry]) },
      further: [far.daemon],
    });
    plain = `${stage.service}-plain`;
    await far.network(stage.network.name);
    await stage.apps(1);
    await stage.apps(1, { service: plain });
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
    await far?.[Symbol.asyncDispose]();
  });

  const spread = async (service = stage.service) => {
    const { instances } = await stage.view(service);
    const on = (host: string) => instances.filter((each) => each.host === host && each.serving).length;
    return { near: on('near'), far: on('far') };
  };
  /** As many on the far host are served by HAProxy as the view says, although nobody can ask for them. */
  const held = (current: number, tooMany = false) =>
    stage.wait(
      async () => {
        const view = await stage.view();
        const reason = view.plan.find(({ step }) => step === 'hold')?.reason ?? '';
        return (
          view.current === current &&
          view.serving === current &&
          view.plan.every(({ step }) => step === 'hold') &&
          /Docker host far does not answer/.test(reason) &&
          tooMany === /too many/.test(reason)
        );
      },
      `${current} serve, and it says that the far host does not answer`,
      30_000,
    );
  const unwell = async () =>
    (await stage.coordinator.readiness()).flatMap(({ name, status }) => (status === 'failed' ? [name] : []));
  const acts = async (since: number) =>
    (await stage.coordinator.audit(since, { event: 'instance.*', service: stage.service })).map(
      ({ event, outcome }) => `${event} ${outcome}`,
    );

  it('is made on the other one where the image is missing, and it says why', async () => {
    const since = Date.now();
    await stage.scale(3);
    await stage.settled(3, { others: 1 });
    assert.deepEqual(await spread(), { near: 3, far: 0 });
    const failures = (await stage.coordinator.audit(since, { event: 'instance.created' })).filter(
      ({ outcome }) => outcome === 'failed',
    );
    assert.ok(failures.length > 0 && failures.length <= 3, JSON.stringify(failures));
    for (const { reason } of failures)
      assert.match(reason, /on far: .*[Nn]o such image.*pull or build the image/);
  });

  it('is spread over both, and shrinks where it is most crowded', async () => {
    await far.loadImage();
    await stage.scale(1);
    await stage.settled(1, { others: 1 });
    await stage.scale(5);
    await stage.settled(5, { others: 1 });
    const { near, far: away } = await spread();
    assert.ok(near >= 2 && away >= 2, `${near} and ${away}`);
    for (const [count, each] of [
      [4, 2],
      [2, 1],
      [4, 2],
    ] as const) {
      await stage.scale(count);
      await stage.settled(count, { others: 1 });
      assert.deepEqual(await spread(), { near: each, far: each });
    }
  });

  it('keeps what is on a host whose daemon is killed, and goes on being scaled on the other', async (t) => {
    await using load = startLoad({ url: `${stage.haproxy.url()}/`, ratePerSecond: 40, maxSeconds: 120 });
    const ready = (await stage.readySlots()).toSorted();
    const since = Date.now();
    await far.daemon.kill();
    await held(4);
    assert.deepEqual((await stage.readySlots()).toSorted(), ready, 'its slots stay as they are');

    assert.deepEqual(await unwell(), ['docker far']);
    const { port, token } = stage.coordinator;
    const env = { BERTH_URL: `http://${stage.network.gateway}:${port}`, BERTH_TOKEN: token };
    assert.match((await runBerth(['status'], env)).out, /docker far: it does not answer/);
    assert.match((await runBerth(['services'], env)).out, new RegExp(stage.service));

    // A service that is wholly on the other host does not notice.
    await stage.scale(2, {}, plain);
    await stage.serving(2, plain);
    await stage.scale(1, {}, plain);
    await stage.serving(1, plain);
    assert.deepEqual(await spread(plain), { near: 1, far: 0 });
    assert.deepEqual(await acts(since), [], 'nothing was done to the one that is on both');

    await stage.scale(6);
    await held(6);
    assert.deepEqual(await spread(), { near: 4, far: 2 });
    // Even if the two there were gone, one must serve: three of the four here may go, no more.
    await stage.scale(1);
    await held(3, true);
    assert.deepEqual(await spread(), { near: 1, far: 2 });
    await stage.scale(5);
    await held(5);

    const mine = (await stage.view()).instances.find(({ host }) => host === 'near') ?? assert.fail();
    await stage.engine.run(['rm', '-f', mine.container]);
    await stage.wait(
      async () => (await stage.view()).instances.every(({ container }) => container !== mine.container),
      'the lost one is gone',
    );
    await held(5);
    const counts = await load.stop();
    t.diagnostic(`${counts.sent} requests, ${counts.failed} failed: ${JSON.stringify(counts.errors)}`);
    // One was killed while it served.
    assert.ok(counts.failed <= 40, JSON.stringify(counts.errors));
  });

  it('is not made a second time by a coordinator that starts while the host is away', async () => {
    const since = Date.now();
    await stage.coordinator.kill();
    await stage.coordinator.start();
    const near = async () => (await stage.containers(stage.service, [stage.engine])).length;
    const told = (count: number) =>
      stage.wait(async () => {
        const { plan, serving } = await stage.view();
        return serving === count && plan.some(({ reason }) => /far does not answer: 2 of the/.test(reason));
      }, `${count} serve here, and two are said to be there`);
    await told(3);
    assert.equal(await near(), 3);
    assert.deepEqual(await acts(since), []);
    await stage.scale(6);
    await told(4);
    assert.equal(await near(), 4);
    assert.equal((await stage.readySlots()).length, 6 + 1);
  });

  it('has exactly what is wanted once the host is back', async (t) => {
    await using load = startLoad({ url: `${stage.haproxy.url()}/`, ratePerSecond: 40, maxSeconds: 60 });
    await far.daemon.start();
    const took = await stage.settled(6, { others: 1, deadlineMs: 60_000 });
    const counts = await load.stop();
    t.diagnostic(`whole after ${Math.round(took)} ms; ${counts.sent} requests, ${counts.failed} failed`);
    const names = (await stage.containers()).map(({ name }) => name);
    t.diagnostic(`${names.join(', ')}; ${JSON.stringify(await spread())}`);
    assert.deepEqual(await unwell(), []);
  });

  it('does not notice a daemon with live-restore that is killed and started again', async (t) => {
    await far.daemon.stop();
    await far.daemon.start(['--live-restore']);
    // Stopped in order, it has said that its containers ended: they were made again here.
    for (const count of [1, 6]) {
      await stage.scale(count);
      await stage.settled(count, { others: 1, deadlineMs: 60_000 });
    }
    assert.ok((await spread()).far > 0);
    await using load = startLoad({ url: `${stage.haproxy.url()}/`, ratePerSecond: 40, maxSeconds: 60 });
    const containers = (await stage.containers()).map(({ id }) => id).toSorted();
    const since = Date.now();
    await far.daemon.kill();
    await held(6);
    await far.daemon.start();
    await stage.settled(6, { others: 1 });
    const counts = await load.stop();
    t.diagnostic(`${counts.sent} requests, ${counts.failed} failed`);
    assert.equal(counts.failed, 0, JSON.stringify(counts.errors));
    assert.deepEqual((await stage.containers()).map(({ id }) => id).toSorted(), containers);
    assert.deepEqual(await acts(since), []);
  });
});

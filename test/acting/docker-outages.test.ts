// The Docker Engine hangs, or is killed and started again, while a service is being scaled on it. What is unknown is held,
// with the reason; traffic goes on; and once the engine answers there is exactly what is wanted. An engine of the test's
// own, with live-restore, as a machine that should outlive its daemon's restarts has it.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startLoad } from '../bench/load.ts';
import { type FarHost, startFarHost } from './far-host.ts';
import { Stage } from './stage.ts';

const few = 2;
const many = 5;

describe('a Docker Engine that goes away in the middle of scaling', () => {
  let lab: FarHost;
  let stage: Stage;
  before(async () => {
    lab = await startFarHost('lab', ['--live-restore']);
    stage = await Stage.set({
      slots: 20,
      env: { BERTH_DOCKER_HOSTS: JSON.stringify([lab.entry]) },
      further: [lab.daemon],
    });
    await Promise.all([lab.network(stage.network.name), lab.loadImage()]);
    await stage.apps(few, { on: lab.daemon });
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  /** Some of what is to be done can be seen, and is not all. */
  const begun = async (up: boolean) => {
    const { instances } = await stage.view();
    return up ? instances.length > few : instances.some(({ role }) => role === 'draining');
  };
  const outages = {
    hangs: { begin: () => lab.daemon.signal('SIGSTOP'), end: () => lab.daemon.signal('SIGCONT') },
    'is killed': { begin: () => lab.daemon.kill(), end: () => lab.daemon.start() },
  };

  for (const [what, outage] of Object.entries(outages)) {
    for (const up of [true, false]) {
      it(`${what} while ${up ? 'more' : 'fewer'} are wanted`, async (t) => {
        await using load = startLoad({
          url: `${stage.haproxy.url()}/`,
          ratePerSecond: 30,
          maxSeconds: 150,
          longShare: 0.1,
        });
        await stage.wait(async () => load.total.ok > 20, 'requests flow');
        const since = Date.now();
        const wanted = up ? many : few;
        await stage.scale(wanted);
        await stage.wait(() => begun(up), 'it has begun');
        await outage.begin();
        await stage.wait(
          async () =>
            (await stage.view()).plan.some(
              ({ step, reason }) => step === 'hold' && reason.includes('Docker host lab does not answer'),
            ),
          'it is held, and says why',
          40_000,
        );
        const held = await stage.view();
        assert.ok(held.plan.every(({ step }) => step === 'hold'));
        const checks = await stage.coordinator.readiness();
        assert.equal(checks.find(({ name }) => name === 'docker lab')?.status, 'failed');
        const rows = await stage.coordinator.audit(since, { event: 'service.held', service: stage.service });
        assert.match(rows.at(-1)?.reason ?? '', /Docker host lab does not answer/);

        await outage.end();
        const took = await stage.settled(wanted, { deadlineMs: 90_000 });
        const counts = await load.stop();
        t.diagnostic(
          `held with ${held.current} of ${wanted}, ${held.serving} serving; whole ${Math.round(took)} ms after it was back; ${counts.sent} requests, ${counts.failed} failed`,
        );
        assert.deepEqual(counts.errors, {});
        const checksAfter = await stage.coordinator.readiness();
        assert.equal(checksAfter.find(({ name }) => name === 'docker lab')?.status, 'ok');
      });
    }
  }
});

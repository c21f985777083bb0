// A step of load at a service whose slots take four requests at a time: the policy decides, instances come and serve;
// the load goes, the idle ones go, and no request is lost on the way.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startLoad } from '../bench/load.ts';
import { until } from '../bench/wait.ts';
import { Stage } from './stage.ts';
import { stepPolicy, timeStep } from './step-response.ts';

describe('a step of load', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.set({ slots: 10, maxconn: 4, policies: stepPolicy });
    await stage.apps(1);
  });
  after(() => stage[Symbol.asyncDispose]());

  it('brings instances from cold, and takes the idle ones away again, without a failed request', async (t) => {
    const times = await timeStep(stage);
    t.diagnostic(
      `decided after ${times.decidedMs} ms, created ${times.actedMs} ms, first request ${times.servedMs} ms; ${times.counts.sent} sent`,
    );
    assert.deepEqual(times.counts.errors, {});
    assert.equal(times.counts.held, 0, 'the load kept its pace');
  });

  it('goes back to the minimum and no lower; long requests finish', async (t) => {
    await using load = startLoad({
      url: `${stage.haproxy.url()}/slow?ms=2000`,
      ratePerSecond: 1,
      maxSeconds: 60,
      timeoutMs: 20_000,
    });
    const took = await stage.settled(1, { deadlineMs: 40_000 });
    await until(() => load.total.ok >= 3, { what: 'long requests go on to be answered' });
    const counts = await load.stop();
    t.diagnostic(`down to 1 within ${Math.round(took)} ms; ${counts.sent} requests of 2 s`);
    assert.deepEqual(counts.errors, {});
    const views = await stage.coordinator.audit(0, { event: 'scale.decided', service: stage.service });
    assert.ok(
      views.every(({ to }) => to !== null && to >= 1 && to <= 4),
      'always within the bounds',
    );
  });
});

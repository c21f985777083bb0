// A warm pool on a real engine: parked instances get no traffic, serve a moment after they are wanted, and are replaced.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startLoad } from '../bench/load.ts';
import { until } from '../bench/wait.ts';
import { Stage } from './stage.ts';
import { stepPolicy, timeStep } from './step-response.ts';

describe('a warm pool', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.set({ slots: 10, maxconn: 4, policies: stepPolicy });
    await stage.apps(1, { labels: { 'berth.warm': '1' } });
    await stage.settled(1, { parked: 1 });
  });
  after(() => stage[Symbol.asyncDispose]());

  it('holds an instance that was never in traffic', async () => {
    await using load = startLoad({ url: `${stage.haproxy.url()}/`, ratePerSecond: 40, maxSeconds: 10 });
    const parked = (await stage.containers()).find(({ state }) => state === 'paused') ?? assert.fail();
    const counts = await load.stop();
    assert.equal(counts.failed, 0);
    // Health checks do not count as sessions.
    const [header = '', ...lines] = (await stage.haproxy.cli('show stat app 4 -1')).split('\n');
    const columns = header.split(',');
    const rows = lines.map((line) => line.split(','));
    const address = await stage.engine.run([
      ...['inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', parked.id],
    ]);
    const slot = rows.find((row) => row[columns.indexOf('addr')] === `${address.trim()}:8080`);
    assert.equal(slot?.[columns.indexOf('stot')], '0', 'sessions that its slot ever had');
  });

  it('serves at once when it is wanted, is filled again, and empties to its size when the load has gone', async (t) => {
    const times = await timeStep(stage);
    t.diagnostic(
      `decided after ${times.decidedMs} ms, unparked ${times.actedMs} ms, first request ${times.servedMs} ms; ${times.counts.sent} sent`,
    );
    assert.deepEqual(times.counts.errors, {});
    const took = await stage.settled(1, { parked: 1, deadlineMs: 60_000 });
    t.diagnostic(`one serves and one is parked again after ${Math.round(took)} ms`);
  });

  it('is found again by a coordinator that was killed, and serves when it is wanted', async (t) => {
    await stage.coordinator.kill();
    await stage.coordinator.start();
    await stage.settled(1, { parked: 1 });
    const since = Date.now();
    const times = await timeStep(stage);
    t.diagnostic(`first request ${times.servedMs} ms after the decision; ${times.counts.sent} sent`);
    assert.deepEqual(times.counts.errors, {});
    // The row comes once Docker's listing shows what was done.
    const unparked = () =>
      stage.coordinator.audit(since, { service: stage.service, event: 'instance.unparked' });
    await until(async () => (await unparked()).length >= 1, { what: 'the parked one was taken' });
    await stage.settled(1, { parked: 1, deadlineMs: 60_000 });
  });
});

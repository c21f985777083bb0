// Containers that are sick while their app still answers: Docker's own health check is another opinion than HAProxy's and
// the agent's. The one that is to take over serves before the sick one goes, so no request notices.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startLoad } from '../bench/load.ts';
import { readRows } from '../faults/slot-rows.ts';
import { Stage } from './stage.ts';

const sickness = '/tmp/sick';
/** In the folder that all of them share. */
const epidemic = 'epidemic';
const health = `test ! -e ${sickness} -a ! -e /berth/${epidemic}`;
const check = ['--health-cmd', health, '--health-interval', '1s', '--health-retries', '2'];

describe("a container that Docker's health check finds unhealthy", () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.set({ slots: 10 });
    await stage.apps(3, { labels: { 'berth.availability': 'true' }, options: check });
  });
  after(() => stage[Symbol.asyncDispose]());

  const viewOf = async (id: string) =>
    (await stage.view()).instances.find(({ container }) => container === id);
  const ready = async () =>
    (await readRows(stage.haproxy)).slots.filter(({ state }) => state === 'ready').length;
  const makeSick = (id: string) => stage.engine.run(['exec', id, 'touch', sickness]);

  it('is replaced, and serves until another one does in its place; no request fails', async (t) => {
    await stage.wait(
      async () => (await stage.view()).instances.every(({ health }) => health === 'healthy'),
      'all are healthy in Docker',
    );
    const since = Date.now();
    const [patient] = (await stage.view()).instances;
    assert.ok(patient);
    const served: number[] = [];
    await using load = startLoad({ url: `${stage.haproxy.url()}/`, ratePerSecond: 60, maxSeconds: 60 });
    await makeSick(patient.container);
    await stage.wait(async () => {
      served.push(await ready());
      const here = await viewOf(patient.container);
      assert.ok(here?.health !== 'unhealthy' || here.phase !== 'unready', 'its agent finds it well');
      return here?.role === 'stopped' || here === undefined;
    }, 'the sick one has gone');
    const { instances } = await stage.view();
    const counts = await load.stop();
    t.diagnostic(
      `${counts.sent} requests, ${counts.failed} failed; ${Math.min(...served)} to ${Math.max(...served)} served`,
    );
    assert.deepEqual(counts.errors, {});
    assert.ok(counts.sent > 60, 'requests flowed');
    assert.equal(Math.min(...served), 3, 'never fewer than three serve');
    assert.equal(instances.filter(({ serving }) => serving).length, 3);
    const audit = await stage.coordinator.audit(since, { service: stage.service });
    const told = audit
      .filter(({ event }) => event.startsWith('instance.'))
      .map(({ event, reason }) => ({ event, reason }));
    t.diagnostic(told.map(({ event, reason }) => `${event}: ${reason}`).join(' | '));
    assert.deepEqual(
      told.map(({ event }) => event),
      ['instance.created', 'instance.drained', 'instance.stopped'],
    );
    assert.match(told[0]?.reason ?? '', new RegExp(`${patient.name} is replaced: .*unhealthy`));
    assert.match(told[1]?.reason ?? '', new RegExp(`^${patient.name}: .*unhealthy`));
  });

  it('is not replaced when most are found so at once: that is not their fault', async () => {
    const since = Date.now();
    // Docker does not find them in the same moment: the first one may be replaced, by one that is sick as well.
    await writeFile(join(stage.folder, 'mount', epidemic), '');
    await stage.wait(
      async () =>
        (await stage.view()).plan.some(
          ({ step, reason }) => step === 'hold' && /3 of 3 .*unhealthy/.test(reason),
        ),
      'the plan holds',
    );
    await stage.wait(
      async () =>
        (await stage.coordinator.audit(since, { event: 'service.held' })).some(({ reason }) =>
          /3 of 3/.test(reason),
        ),
      'the audit says so',
    );
    assert.equal(await ready(), 3);
  });
});

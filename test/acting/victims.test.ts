// Who goes when one is too many, on a real HAProxy with long requests under way: the idle one, though it is the oldest;
// never a protected one, idle or not. No request fails, the long ones of a victim are waited for.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type LoadCounts, startLoad } from '../bench/load.ts';
import { Stage } from './stage.ts';

const longMs = 8000;

interface Told {
  /** Name of the container that was idle. */
  idle: string;
  /** Names of those that run in the end. */
  left: string[];
  counts: LoadCounts[];
}

/** Three instances, of which the first is idle while the others have three long requests each; two are wanted then. */
async function oneTooMany(stage: Stage, labels: Readonly<Record<string, string>>): Promise<Told> {
  const first = await stage.app({ labels });
  await stage.serving(1);
  await stage.app();
  await stage.app();
  await stage.serving(3);
  const instanceOf = async (id: string) =>
    (await stage.view()).instances.find(({ container }) => container === id) ?? assert.fail();
  const idle = await instanceOf(first);
  const drain = (wanted: boolean) =>
    stage.coordinator.write('POST', `/api/v1/agents/${idle.agent}/drain`, { drain: wanted, reason: 'test' });
  await drain(true);
  await stage.wait(async () => (await stage.readySlots()).length === 2, 'the first is out of traffic');
  await using long = startLoad({
    url: `${stage.haproxy.url()}/slow?ms=${longMs}`,
    ratePerSecond: 60,
    maxSeconds: 0.1,
    timeoutMs: 30_000,
  });
  await stage.wait(async () => long.total.sent === 6, 'six long requests are sent');
  const busy = await Promise.all(
    (await stage.containers())
      .filter(({ id }) => id !== first)
      .map(async ({ id }) => (await instanceOf(id)).name),
  );
  assert.equal(busy.length, 2);
  await drain(false);
  await stage.wait(async () => (await stage.readySlots()).length === 3, 'the first is back in traffic');
  await using short = startLoad({ url: `${stage.haproxy.url()}/`, ratePerSecond: 30, maxSeconds: 60 });
  await stage.wait(async () => short.total.ok > 5, 'short requests flow');
  assert.equal(long.total.ok, 0, 'the long requests are still under way');
  await stage.scale(2);
  await stage.settled(2, { deadlineMs: 40_000 });
  const counts = [await long.stop(), await short.stop()];
  const left = (await stage.containers()).filter(({ state }) => state === 'running').map(({ name }) => name);
  return { idle: idle.name, left, counts };
}

describe('one instance too many', () => {
  it('is the idle one, though the others are younger; no request fails', async () => {
    await using stage = await Stage.set({ slots: 10 });
    const { idle, left, counts } = await oneTooMany(stage, {});
    assert.equal(left.length, 2);
    assert.ok(!left.includes(idle), `${idle} was idle, and ${left.join(' and ')} are left`);
    for (const { errors } of counts) assert.deepEqual(errors, {});
    assert.equal(counts[0]?.ok, 6);
  });

  it('is not the idle one when that is protected: a busy one goes, after its long requests', async () => {
    await using stage = await Stage.set({ slots: 10 });
    const { idle, left, counts } = await oneTooMany(stage, { 'berth.protect': 'true' });
    assert.equal(left.length, 2);
    assert.ok(left.includes(idle), `${idle} is protected, and ${left.join(' and ')} are left`);
    for (const { errors } of counts) assert.deepEqual(errors, {});
    assert.equal(counts[0]?.ok, 6);
  });
});

// How many labels want, while instances end and alerts ask to look after the service.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyLabelWish, labelEntry, readLabelWish } from '../../coordinator/services/label-wishes.ts';
import { expireState, newService, type ServiceState } from '../../coordinator/services/service-state.ts';
import type { LabelSettings } from '../../shared/labels.ts';
import { alertStage } from './alert-stage.ts';
import { instance } from './instance.ts';

const bounds: LabelSettings[] = [{ min: 1, max: 5 }];
const running = (count: number) =>
  Array.from({ length: count }, (_, index) => instance(`i${index}`, { clone: false }));

/** One look of the act loop, at `wall`. */
function look(state: ServiceState, count: number, wall: number, lookedAfter = false): ServiceState {
  const current = expireState(state, wall);
  const wish = readLabelWish(current, running(count), bounds, lookedAfter);
  return wish === undefined ? current : { ...current, ...applyLabelWish(current, wish, wall) };
}

test('bounds alone follow what is there, and remember for an hour what there was before instances ended', () => {
  let state = look(newService('web'), 3, 1000);
  assert.deepEqual([state.wanted, state.beforeLoss], [3, null]);
  state = look(state, 2, 2000);
  state = look(state, 1, 3000);
  assert.deepEqual([state.wanted, state.beforeLoss?.wanted], [1, 3]);
  assert.equal(look(state, 2, 4000).beforeLoss?.wanted, 3, 'one has come back by itself');
  assert.equal(look(state, 3, 4000).beforeLoss, null, 'all have');
  assert.equal(look(state, 1, 3_604_000).beforeLoss, null, 'too long ago');
});

test('fewer because of the maximum is no loss', () => {
  const state = look({ ...newService('web'), wanted: 7 }, 7, 1000);
  assert.deepEqual([state.wanted, state.beforeLoss], [5, null]);
});

test('what an alert looks after is kept although instances end', () => {
  const state = look(newService('web'), 3, 1000);
  assert.equal(look(state, 2, 2000, true).wanted, 3);
  assert.equal(look(state, 4, 2000, true).wanted, 4, 'somebody has started one more');
});

test('each number that labels set is a row of the audit', () => {
  const state = look(newService('web'), 3, 1000);
  const wish = readLabelWish(state, running(2), bounds);
  assert.ok(wish);
  assert.deepEqual(labelEntry(state, wish), {
    event: 'scale.decided',
    actor: 'labels',
    service: 'web',
    from: 3,
    to: 2,
    reason: 'at least 1, at most 5',
    outcome: 'ok',
  });
});

test('service_availability brings back what labels have let go of, and the audit says so', async (t) => {
  const stage = await alertStage(t);
  const before = stage.services.get('web') ?? assert.fail('it is known');
  const state = look(look(before, 3, stage.clock.wall()), 2, stage.clock.wall());
  stage.services.change('web', state);
  assert.equal(stage.wanted(), 2);
  const row = await stage.post({ action: 'service_availability' });
  await stage.until(() => stage.row(row).startsWith('processed'), 'it is answered');
  assert.equal(stage.wanted(), 3);
  assert.equal(stage.row(row), 'processed: 3 instances are kept');
  const [told] = stage.told.filter(({ event }) => event === 'scale.decided');
  assert.partialDeepStrictEqual(told, { actor: 'alert busy', from: 2, to: 3, alert: 'busy' });
  assert.equal(stage.services.get('web')?.beforeLoss, null);
});

// What happens around a policy has the last word.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backOffMs } from '../../coordinator/decide/backoff.ts';
import { atOnce, instances, load, scenario } from './scenario.ts';

const written = { metrics: [load(100)], behavior: atOnce };

test('during a rolling update nothing goes down, and up only above the size without its surge', () => {
  const rollout = { sizeWithoutSurge: 6 };
  const at = (value: number) => scenario(written, 5).load(value, { rollout });
  assert.deepEqual([at(200).to, at(200).reason], [5, 'Rollout']);
  assert.equal(at(600).to, 5);
  assert.equal(at(800).to, 8);
});

test('when the hosts are full, what fits is created', () => {
  const decision = scenario(written, 4).load(900, { capacity: { fits: 2 } });
  assert.deepEqual([decision.to, decision.limits], [6, ['NoCapacity']]);
  assert.equal(scenario(written, 4).load(900, { capacity: { fits: 0 } }).reason, 'NoCapacity');
});

test('the cap over all services stops a step up, and takes nothing away', () => {
  assert.equal(scenario(written, 4).load(900, { quota: 6 }).to, 6);
  assert.equal(scenario(written, 4).load(900, { quota: 2 }).to, 4);
  assert.equal(scenario(written, 4).load(100, { quota: 2 }).to, 1);
});

test('a budget leaves as many ready instances as it names, less what others were promised', () => {
  const at = (budget: object, given: object = {}) => scenario({ ...written, budget }, 8).load(100, given);
  assert.deepEqual([at({ minAvailable: 5 }).to, at({ minAvailable: 5 }).limits], [5, ['Budget']]);
  assert.equal(at({ minAvailable: '75%' }).to, 6);
  assert.equal(at({ maxUnavailable: 1 }).to, 7);
  assert.equal(at({ minAvailable: 5 }, { reservedDisruptions: 2 }).to, 7);
  assert.equal(at({ minAvailable: 8 }).reason, 'Budget');
});

test('a budget is not spent twice on instances that have not left yet', () => {
  for (const budget of [{ minAvailable: 5 }, { maxUnavailable: 3 }]) {
    const web = scenario({ ...written, budget }, 8);
    assert.equal(web.load(100).to, 5);
    // The next evaluation comes before any of the three is drained.
    assert.equal(web.load(100, { instances: instances(8) }).to, 5, JSON.stringify(budget));
  }
  const half = scenario({ ...written, budget: { minAvailable: '50%' } }, 8);
  assert.equal(half.load(100).to, 4);
  assert.equal(half.load(100, { instances: instances(8) }).to, 4, 'half of those that there are');
  assert.equal(half.load(100).to, 2, 'then half of the rest');
});

test('instances that are not ready are free to go', () => {
  const mixed = instances(8).map((instance, index) => (index < 3 ? { ...instance, ready: false } : instance));
  const web = scenario({ ...written, budget: { minAvailable: 5 } }, 8);
  assert.equal(web.load(100, { instances: mixed }).to, 5);
});

test('failed creation holds the size for 1, 2, 4 … 300 s; success ends it; down is never held', () => {
  assert.deepEqual([1, 2, 3, 9, 10, 1000].map(backOffMs), [1000, 2000, 4000, 256_000, 300_000, 300_000]);
  const web = scenario(written, 4);
  assert.equal(web.load(900, { after: 1, creation: 'failed' }).reason, 'BackOff');
  assert.equal(web.load(900, { after: 1, creation: 'failed' }).reason, 'BackOff');
  assert.equal(web.load(900, { after: 1 }).reason, 'BackOff');
  assert.equal(web.load(200, { after: 0.5 }).to, 2);
  assert.equal(web.load(900, { after: 1 }).to, 9);
  const healed = scenario(written, 4);
  healed.load(900, { creation: 'failed', after: 0 });
  assert.equal(healed.load(900, { creation: 'succeeded', after: 0 }).to, 9);
});

test('a dry run says what it would do, and neither acts nor remembers having acted', () => {
  const web = scenario({ ...written, dryRun: true }, 4);
  const decision = web.load(900);
  assert.deepEqual(
    [decision.to, decision.action, decision.wouldBe, decision.reason],
    [4, 'none', 9, 'DryRun'],
  );
  assert.deepEqual([web.state.wanted, web.state.ups.length, web.state.lastUpAt], [4, 0, null]);
  assert.equal(scenario(written, 4).load(900, { controls: { dryRun: true } }).wouldBe, 9);
});

test('a step down names its victims in order', () => {
  const crowd = instances(4).map((instance, index) => ({ ...instance, sessions: [7, 0, 3, 9][index] ?? 0 }));
  assert.deepEqual(scenario(written, 4).load(200, { instances: crowd }).victims, ['i1', 'i2']);
});

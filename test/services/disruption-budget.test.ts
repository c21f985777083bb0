// The disruption budget counts for everything that is taken out of traffic on purpose, whoever asks for it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { leastServing, whyInTraffic } from '../../coordinator/services/disruption-budget.ts';
import { planInstances } from '../../coordinator/services/plan-instances.ts';
import { instance } from './instance.ts';

const least = (count: number) => ({ minAvailable: { count } });
const share = (of: number) => ({ minAvailable: { share: of } });

describe('how many must go on serving', () => {
  it('is what the budget says, whatever number was set by hand', () => {
    assert.equal(leastServing(least(2), 1, 3), 2);
    assert.equal(leastServing(least(2), 0, 3), 2);
    assert.equal(leastServing({ maxUnavailable: { count: 1 } }, 1, 4), 3);
  });
  it('is a share of the size before, not of the smaller one to come', () => {
    assert.equal(leastServing(share(0.5), 1, 10), 5);
    assert.equal(leastServing(share(0.5), 3, 10), 5);
    assert.equal(leastServing({ maxUnavailable: { share: 0.25 } }, 2, 10), 7);
    assert.equal(leastServing(share(0.5), 8, 4), 4, 'of the larger one while it grows');
  });
  it('is the number of the budget also where fewer are wanted, and never less than none', () => {
    assert.equal(leastServing(least(2), 1, 1), 2);
    assert.equal(leastServing({ maxUnavailable: { count: 9 } }, 2, 2), 0);
  });
  it('is the last one without a budget, until none is wanted', () => {
    assert.equal(leastServing(null, 3, 3), 1);
    assert.equal(leastServing(null, 0, 3), 0);
  });
});

describe('an instance that an operator wants out of traffic', () => {
  const nobodyLeaves = () => false;
  it('stays while the budget needs it, with the reason', () => {
    const two = [instance('a'), instance('b')];
    assert.equal(whyInTraffic('a', two, 2, nobodyLeaves), 'a stays in traffic: only 2 serve and 2 must');
    assert.equal(whyInTraffic('a', [...two, instance('c')], 2, nobodyLeaves), undefined);
  });
  it('counts those that are on their way out, whoever sent them', () => {
    const three = [instance('a'), instance('b'), instance('c')];
    assert.match(whyInTraffic('a', three, 2, (id) => id === 'c') ?? '', /only 2 serve/);
    const one = [instance('a'), instance('b'), instance('c', { byOperator: true })];
    assert.match(whyInTraffic('a', one, 2, nobodyLeaves) ?? '', /only 2 serve/);
    const spare = [instance('a'), instance('b'), instance('c', { phase: 'draining' })];
    assert.match(whyInTraffic('a', spare, 2, nobodyLeaves) ?? '', /only 2 serve/);
  });
  it('may leave when it does not serve anyway', () => {
    const sick = instance('a', { serving: false });
    assert.equal(whyInTraffic('a', [sick, instance('b')], 2, nobodyLeaves), undefined);
    assert.equal(whyInTraffic('gone', [instance('b')], 2, nobodyLeaves), undefined);
  });
});

it('a number set by hand takes no more out at once than the budget lets it', () => {
  const ten = Array.from({ length: 10 }, (_, index) => instance(`i${index}`));
  const steps = planInstances({
    instances: ten,
    unknown: { hosts: new Set(), unlisted: 0 },
    wanted: 1,
    warm: 0,
    minAvailable: leastServing(share(0.5), 1, 10),
    busy: new Map(),
    creating: { active: 0, spare: 0 },
    creatable: () => ({ atMost: 0, why: '' }),
    startWait: () => undefined,
    unhealthyAfterMs: 30_000,
    drainDeadlineMs: 60_000,
    orderVictims: (instances) => instances,
  });
  assert.equal(steps.filter(({ kind }) => kind === 'drain').length, 5);
  assert.equal(steps.at(-1)?.reason, '4 too many, but only 5 serve and 5 must');
});

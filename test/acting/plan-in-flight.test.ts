// What the plan makes of steps that are still being carried out: the same instance must neither be counted twice nor
// forgotten.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planInstances } from '../../coordinator/services/plan-instances.ts';
import { instance } from '../services/instance.ts';
import { planning } from '../services/planning.ts';

describe('a plan while steps are under way', () => {
  it('drains no further instance while the drains of the others do not show yet', () => {
    const steps = planInstances(
      planning({
        instances: ['a', 'b', 'c', 'd'].map((id) => instance(id)),
        busy: new Map([
          ['a', 'drain'],
          ['b', 'drain'],
          ['c', 'drain'],
        ]),
      }),
    );
    assert.deepEqual(steps, []);
  });

  it('drains no healthy instance while the sick one is being stopped', () => {
    const steps = planInstances(
      planning({
        wanted: 2,
        minAvailable: 1,
        instances: [instance('a'), instance('b'), instance('c', { serving: false, notServingMs: 40_000 })],
        busy: new Map([['c', 'stop']]),
      }),
    );
    assert.deepEqual(steps, []);
  });

  it('does not wait for a clone that is being stopped before it makes another one', () => {
    const instances = [instance('a'), instance('b', { phase: 'stopping', serving: false })];
    const busy = new Map([['b', 'stop' as const]]);
    const kinds = (wanted: number) =>
      planInstances(planning({ wanted, instances, busy })).map(({ kind }) => kind);
    assert.deepEqual(kinds(3), ['create', 'create']);
    assert.deepEqual(kinds(1), []);
  });

  it('makes no further one while one that crashed waits to be started again, and says so', () => {
    const stopped = instance('a', { state: 'exited', phase: undefined, serving: false });
    const startWait = () => ({ why: 'it ended after 2 s; the next one is in 4 s', crashed: true });
    assert.deepEqual(planInstances(planning({ instances: [stopped], startWait })), [
      { kind: 'hold', reason: 'a is wanted, but it ended after 2 s; the next one is in 4 s' },
    ]);
    const broken = () => ({ why: 'its volume is gone', crashed: false });
    assert.deepEqual(
      planInstances(planning({ instances: [stopped], startWait: broken })).map(({ kind }) => kind),
      ['create'],
      'one that cannot be started is replaced',
    );
  });

  it('parks a spare that has no slot after a while, not only when the drain is given up', () => {
    const spare = (drainAgeMs: number) =>
      instance('s', { phase: 'draining', serving: false, registered: false, madeSpare: true, drainAgeMs });
    const kinds = (age: number) =>
      planInstances(planning({ instances: [instance('a'), spare(age)], warm: 1 })).map(({ kind }) => kind);
    assert.deepEqual(kinds(500), []);
    assert.deepEqual(kinds(4000), ['park']);
  });
});

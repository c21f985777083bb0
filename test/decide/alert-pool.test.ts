// The pool of alerts, steps by request, and the pool of clones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AlertPool,
  activeAlerts,
  expireAlerts,
  updateAlertPool,
} from '../../coordinator/decide/alerts.ts';
import { nextCandidate, planPool } from '../../coordinator/decide/pool.ts';
import { parseStepRequest, planStepRequest } from '../../coordinator/decide/step-request.ts';

const firing = { fingerprint: 'f', name: 'hot', firing: true };

function after(...events: Parameters<typeof updateAlertPool>[1][]): AlertPool {
  return events.reduce(updateAlertPool, {});
}

test('an alert is active from firing to resolved, once however often it comes', () => {
  const pool = after({ ...firing, at: 0 }, { ...firing, at: 10 }, { ...firing, at: 20 });
  assert.deepEqual(activeAlerts(pool, 25, 60), [{ fingerprint: 'f', name: 'hot', ageMs: 5 }]);
  assert.deepEqual(activeAlerts(after({ ...firing, at: 0 }, { ...firing, firing: false, at: 5 }), 6, 60), []);
});

test('a firing that arrives after its resolve, but was sent before, does not bring it back', () => {
  const pool = after({ ...firing, at: 0 }, { ...firing, firing: false, at: 20 }, { ...firing, at: 10 });
  assert.deepEqual(activeAlerts(pool, 21, 60), []);
  assert.equal(activeAlerts(updateAlertPool(pool, { ...firing, at: 30 }), 31, 60).length, 1);
});

test('a resolve that got lost is made up for by the time to live', () => {
  const pool = after({ ...firing, at: 0 });
  assert.equal(activeAlerts(pool, 60, 60).length, 1);
  assert.equal(activeAlerts(pool, 61, 60).length, 0);
  assert.deepEqual(expireAlerts(pool, 61, 60), {});
});

test('a step request is checked before anything is done', () => {
  assert.deepEqual(parseStepRequest({ service: 'web', direction: 'up' }), {
    ok: true,
    request: { service: 'web', direction: 'up', step: null },
  });
  for (const bad of [
    {},
    { service: '' },
    { service: 'web', direction: 'boo' },
    { service: 'web', direction: 'up', step: 0.5 },
  ]) {
    assert.equal(parseStepRequest(bad).ok, false);
  }
});

test('a step stays within the bounds, and says when nothing is left to do', () => {
  const labels = { min: null, max: 6, upStep: 2, downStep: null };
  const defaults = { min: 1, max: 10, upStep: 3, downStep: 3 };
  const up = { direction: 'up', step: null } as const;
  assert.deepEqual(planStepRequest(5, up, labels, defaults), { count: 6, atBound: false });
  assert.deepEqual(planStepRequest(6, up, labels, defaults), { count: 6, atBound: true });
  assert.deepEqual(planStepRequest(2, { direction: 'down', step: null }, labels, defaults), {
    count: 1,
    atBound: false,
  });
});

test('a pool starts what is missing, skips what fails, and never destroys the last one', () => {
  const members = ['1', '2', '3'].map((id) => ({ id, state: 'stopped' as const, reachable: true }));
  const none = { minCreated: null, maxCreated: null, minStarted: null, maxStarted: null };
  const start = planPool(members, { ...none, minStarted: 2 });
  assert.ok(start.action === 'start');
  assert.equal(nextCandidate(start, { attempted: ['1'], succeeded: 0, failed: 1 }), '2');
  assert.equal(nextCandidate(start, { attempted: ['1', '2', '3'], succeeded: 2, failed: 1 }), undefined);
  const destroy = planPool(members, { ...none, maxCreated: 0 });
  assert.ok(destroy.action === 'destroy' && destroy.count === 2);
  assert.equal(nextCandidate(destroy, { attempted: ['1', '2'], succeeded: 0, failed: 2 }), undefined);
});

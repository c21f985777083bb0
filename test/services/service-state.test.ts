// What of an operator's word is over, and what the audit says of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expireState, expiryEntries, newService } from '../../coordinator/services/service-state.ts';

test('a pause and a number set by hand end at their time, each with a row of the audit', () => {
  const state = {
    ...newService('web'),
    pause: { mode: 'in', until: 1000, by: 'mia' },
    override: { replicas: 4, until: 2000, by: 'tom' },
  } as const;
  const entriesAt = (wall: number) =>
    expiryEntries(state, expireState(state, wall)).map(({ event, actor, reason }) => [event, actor, reason]);
  const resumed = ['scale.resumed', 'coordinator', 'the time of the pause (in) by mia is over'];
  const released = ['scale.released', 'coordinator', 'the time of the 4 that tom had set by hand is over'];
  assert.deepEqual(entriesAt(999), []);
  assert.deepEqual(entriesAt(1000), [resumed]);
  assert.deepEqual(entriesAt(2000), [resumed, released]);
  const open = { ...state, pause: { ...state.pause, until: null }, override: null };
  assert.deepEqual(expiryEntries(open, expireState(open, 1e15)), []);
});

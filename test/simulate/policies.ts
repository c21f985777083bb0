// Policies for the simulator's tests, admitted as people write them.
import assert from 'node:assert/strict';
import { admitPolicy, formatAdmissionError } from '../../coordinator/policy/admit.ts';
import type { AdmittedPolicy } from '../../coordinator/policy/normalize.ts';

export function admittedOf(written: Readonly<Record<string, unknown>>): AdmittedPolicy {
  const { admitted, errors } = admitPolicy({ name: 'web', maxReplicas: 20, ...written }, 'test');
  assert.deepEqual(errors.map(formatAdmissionError), []);
  const [first] = admitted;
  assert.ok(first !== undefined);
  return first;
}

export function byHaproxy(what: 'sessions' | 'requestRate', averageValue: number): object {
  return { source: { type: 'haproxy', what }, target: { type: 'AverageValue', averageValue } };
}

// Which policy a service has: a label goes before the database, the database before the file (REQUIREMENTS 68).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admitPolicy } from '../../coordinator/policy/admit.ts';
import type { AdmittedPolicy } from '../../coordinator/policy/normalize.ts';
import { type PolicyLabels, resolvePolicies } from '../../coordinator/policy/resolve-policies.ts';

function policy(name: string, service: string, minReplicas = 1, maxReplicas = 5): AdmittedPolicy {
  const metrics = [{ name: 'n', target: { type: 'Fixed', value: 2 } }];
  const { admitted, errors } = admitPolicy({ name, service, minReplicas, maxReplicas, metrics }, 'test');
  assert.deepEqual(errors, []);
  return admitted[0] ?? assert.fail('it is admitted');
}

/** By service: the policy, its bounds, and where name, service and bounds come from. */
function resolve(
  file: AdmittedPolicy[],
  database: AdmittedPolicy[],
  labels: PolicyLabels[],
): { shown: Record<string, string>; problems: string[] } {
  const { effective, problems } = resolvePolicies(file, database, labels);
  const shown = effective.map(({ policy: { name, service, minReplicas, maxReplicas }, origins }) => [
    service,
    `${name} ${minReplicas}-${maxReplicas}, ${Object.values(origins).join(' ')}`,
  ]);
  return {
    shown: Object.fromEntries(shown),
    problems: problems.map(({ service, message }) => `${service}: ${message}`),
  };
}

const filed = policy('filed', 'web');
const stored = policy('stored', 'web', 2, 6);

test('the file’s is in force alone, the database’s before it, and the one that a label names before both', () => {
  assert.deepEqual(resolve([filed], [], []).shown, { web: 'filed 1-5, file file file file' });
  assert.deepEqual(resolve([filed], [stored], []).shown, {
    web: 'stored 2-6, database database database database',
  });
  const other = policy('nights', 'shop', 3, 9);
  const label = { service: 'web', policy: 'nights' };
  assert.deepEqual(resolve([filed, other], [stored], [label]).shown, {
    web: 'nights 3-9, file label file file',
    shop: 'nights 3-9, file file file file',
  });
  assert.deepEqual(resolve([filed], [stored, other], [label]).shown, {
    web: 'nights 3-9, database label database database',
    shop: 'nights 3-9, database database database database',
  });
  assert.equal(
    resolve([filed], [stored], [{ service: 'web', policy: 'filed' }]).shown['web'],
    'filed 1-5, file label file file',
    'a label can name the file’s although the database has one for the service',
  );
});

test('one of the database replaces the file’s of the same name, whatever its service', () => {
  const moved = policy('filed', 'shop', 2, 4);
  assert.deepEqual(resolve([filed], [moved], []).shown, {
    shop: 'filed 2-4, database database database database',
  });
});

test('berth.min and berth.max replace the bounds, each by itself, of the policy wherever it is from', () => {
  const shown = (label: Omit<PolicyLabels, 'service'>) =>
    resolve([filed], [stored], [{ service: 'web', ...label }]).shown['web'];
  assert.equal(shown({ min: 3 }), 'stored 3-6, database database label database');
  assert.equal(shown({ max: 4 }), 'stored 2-4, database database database label');
  assert.equal(shown({ min: 0, max: 9 }), 'stored 0-9, database database label label');
  assert.equal(shown({ policy: 'filed', min: 2, max: 3 }), 'filed 2-3, file label label label');
});

test('bounds without a policy make none, and those of one service leave another’s alone', () => {
  assert.deepEqual(resolve([], [], [{ service: 'web', min: 1, max: 3 }]).shown, {});
  const labels = [
    { service: 'a', policy: 'filed', max: 3 },
    { service: 'b', policy: 'filed', min: 2 },
  ];
  assert.deepEqual(resolve([filed], [], labels).shown, {
    web: 'filed 1-5, file file file file',
    a: 'filed 1-3, file label file label',
    b: 'filed 2-5, file label label file',
  });
});

test('labels that cannot be followed are told, and change nothing', () => {
  const none = resolve([filed], [], [{ service: 'web', policy: 'nobody', max: 4 }]);
  assert.deepEqual(none.shown, { web: 'filed 1-4, file file file label' });
  assert.match(none.problems.join(), /^web: label berth.policy names nobody, but there is no policy/);
  const crossed = resolve([filed], [stored], [{ service: 'web', max: 1 }]);
  assert.deepEqual(crossed.shown, { web: 'stored 2-6, database database database database' });
  assert.match(crossed.problems.join(), /would give at least 2 and at most 1; they are left out/);
});

// What a policy means: defaults, presets, and the forms in which things may be written.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admitPolicy, formatAdmissionError } from '../../coordinator/policy/admit.ts';
import type { AdmittedPolicy } from '../../coordinator/policy/normalize.ts';
import { sourceSchema } from '../../coordinator/policy/source-schema.ts';

function admit(written: object): AdmittedPolicy {
  const { admitted, errors } = admitPolicy({ name: 'web', maxReplicas: 10, ...written }, 'test');
  assert.deepEqual(errors.map(formatAdmissionError), []);
  const [first] = admitted;
  assert.ok(first !== undefined);
  return first;
}

const sessions = {
  source: { type: 'haproxy', what: 'sessions' },
  target: { type: 'AverageValue', averageValue: 100 },
};
const pushed = {
  source: { type: 'pushed', metric: 'jobs' },
  target: { type: 'AverageValue', averageValue: '500m' },
};

test('without behavior, the numbers are those of the HPA', () => {
  const { policy } = admit({});
  assert.deepEqual(policy.tolerance, { up: 0.1, down: 0.1 });
  assert.deepEqual(policy.scaleUp, {
    stabilizationMs: 0,
    select: 'Max',
    policies: [
      { type: 'Count', value: 4, periodMs: 15_000 },
      { type: 'Percent', value: 100, periodMs: 15_000 },
    ],
    cooldownMs: 0,
  });
  assert.deepEqual(policy.scaleDown, {
    stabilizationMs: 300_000,
    select: 'Max',
    policies: [{ type: 'Percent', value: 100, periodMs: 15_000 }],
    cooldownMs: 0,
  });
  assert.deepEqual([policy.minReplicas, policy.warmupMs, policy.readinessDelayMs], [1, 300_000, 30_000]);
  assert.deepEqual(policy.growthCap, { factor: 2, floor: 4 });
});

test('half of a behavior leaves the other half at its defaults', () => {
  const { policy } = admit({
    behavior: { scaleDown: { tolerance: 0.3, policies: [{ type: 'Pods', value: 1, periodSeconds: '1m' }] } },
  });
  assert.deepEqual(policy.scaleUp.policies.length, 2);
  assert.deepEqual(policy.scaleDown.policies, [{ type: 'Count', value: 1, periodMs: 60_000 }]);
  assert.deepEqual([policy.scaleDown.stabilizationMs, policy.tolerance], [300_000, { up: 0.1, down: 0.3 }]);
});

test('the steady preset gives behavior and metrics, and what the policy says wins', () => {
  const { policy } = admit({ preset: 'steady' });
  assert.deepEqual(policy.scaleUp.policies, [
    { type: 'Percent', value: 100, periodMs: 30_000 },
    { type: 'Count', value: 2, periodMs: 30_000 },
  ]);
  assert.deepEqual([policy.scaleDown.select, policy.scaleDown.stabilizationMs], ['Min', 300_000]);
  assert.deepEqual(
    policy.metrics.map(({ name, target }) => [
      name,
      'percent' in target ? target.percent : 'value' in target ? target.value : null,
    ]),
    [
      ['cpu', 70],
      ['memory', 80],
      ['requestRate', 1000],
      ['sessions', 100],
      ['queue', 100],
    ],
  );
  const own = admit({
    preset: 'steady',
    metrics: [sessions],
    behavior: { scaleUp: { policies: [] } },
  }).policy;
  assert.deepEqual([own.metrics.length, own.scaleUp.policies.length, own.scaleDown.select], [1, 0, 'Min']);
});

test('HAProxy and agents are read every second, anything slower every 15', () => {
  assert.equal(admit({ metrics: [sessions] }).policy.intervalMs, 1000);
  assert.equal(admit({ metrics: [sessions, pushed] }).policy.intervalMs, 15_000);
  assert.equal(admit({ metrics: [pushed], interval: '250ms' }).policy.intervalMs, 250);
});

test('amounts and durations may be written as in Kubernetes', () => {
  const { policy, sources } = admit({ metrics: [pushed], drain: { deadline: '2m' } });
  assert.deepEqual(policy.metrics[0]?.target, { kind: 'averageValue', value: 0.5, average: 'mean' });
  assert.deepEqual(sources, { jobs: { type: 'pushed', metric: 'jobs' } });
  assert.deepEqual(sourceSchema.parse({ type: 'docker', what: 'cpu', request: '500m' }), {
    type: 'docker',
    what: 'cpu',
    request: 500,
  });
  assert.deepEqual(sourceSchema.parse({ type: 'docker', what: 'memory', request: '256Mi' }), {
    type: 'docker',
    what: 'memory',
    request: 268_435_456,
  });
});

test('CPU warms up and cannot tell activity; response time only raises', () => {
  const { policy } = admit({
    metrics: [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
      },
      {
        source: { type: 'haproxy', what: 'responseTime' },
        target: { type: 'Threshold', lower: 500, addReplicas: 1 },
      },
      sessions,
    ],
  });
  assert.deepEqual(
    policy.metrics.map(({ warmup, activeAbove, direction }) => [warmup, activeAbove, direction]),
    [
      [true, null, 'both'],
      [false, null, 'up'],
      [false, 0, 'both'],
    ],
  );
});

test('activation is on where the size may be 0, and off on demand', () => {
  const metrics = [sessions];
  assert.equal(admit({ metrics }).policy.activation, null);
  assert.deepEqual(admit({ metrics, minReplicas: 0 }).policy.activation, {
    toIdleAfterMs: 300_000,
    initialMs: 0,
    minWhenActive: 1,
    idleReplicas: null,
  });
  assert.equal(admit({ metrics, minReplicas: 0, activation: false }).policy.activation, null);
});

test('secrets are given by file only, and belong together', () => {
  const redis = { type: 'redis', url: 'redis://127.0.0.1:6379/0', key: 'jobs' };
  assert.equal(
    sourceSchema.safeParse({ ...redis, auth: { username: 'u', passwordFile: '/run/p' } }).success,
    true,
  );
  assert.equal(sourceSchema.safeParse({ ...redis, auth: { username: 'u', password: 'p' } }).success, false);
  assert.equal(
    sourceSchema.safeParse({ ...redis, auth: { bearerFile: '/run/t', username: 'u' } }).success,
    false,
  );
  assert.equal(sourceSchema.safeParse({ ...redis, tls: { cert: '/c.pem' } }).success, false);
  assert.equal(sourceSchema.safeParse({ ...redis, what: 'lag' }).success, false);
});

test('an admitted policy is plain JSON', () => {
  const admitted = admit({
    preset: 'steady',
    timeZone: 'UTC',
    combine: 'max(cpu, 2)',
    schedules: [{ start: '0 8 * * *', minReplicas: 2 }],
  });
  assert.deepEqual(JSON.parse(JSON.stringify(admitted)), admitted);
});

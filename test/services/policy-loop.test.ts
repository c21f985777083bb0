// One policy's loop, with instances and readings given by the test: what becomes of the wanted number.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admitPolicy } from '../../coordinator/policy/admit.ts';
import type { EffectivePolicy } from '../../coordinator/policy/resolve-policies.ts';
import { PolicyLoop, type PolicyLoopParts } from '../../coordinator/services/policy-loop.ts';
import type { ServiceInstance } from '../../coordinator/services/service-instance.ts';
import { Services } from '../../coordinator/services/services.ts';
import { systemClock } from '../../shared/clock.ts';

function policy(): EffectivePolicy {
  const { admitted } = admitPolicy(
    {
      name: 'web',
      minReplicas: 1,
      maxReplicas: 9,
      metrics: [
        {
          name: 'load',
          source: { type: 'pushed', metric: 'load' },
          target: { type: 'AverageValue', averageValue: 10 },
        },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 0, safeAfter: false } },
    },
    'test',
  );
  assert.ok(admitted[0]);
  return {
    ...admitted[0],
    origins: { policy: 'file', service: 'file', minReplicas: 'file', maxReplicas: 'file' },
  };
}

function instance(id: string, over: Partial<ServiceInstance> = {}): ServiceInstance {
  return {
    id,
    name: id,
    host: 'docker',
    state: 'running',
    health: 'none',
    agent: id,
    phase: 'ready',
    serving: true,
    registered: true,
    sessions: 0,
    seenAgeMs: 600_000,
    startAgeMs: 600_000,
    servingMs: 60_000,
    notServingMs: 0,
    drainAgeMs: null,
    protected: false,
    madeSpare: false,
    outOfMemory: false,
    clone: false,
    byOperator: false,
    ...over,
  };
}

function stage() {
  const world = { load: 30, instances: [instance('a'), instance('b'), instance('c')] };
  const services = new Services();
  const noted: string[] = [];
  const parts: PolicyLoopParts = {
    reader: { readAll: async () => ({ load: { ok: true, shape: 'total', value: world.load, ageMs: 0 } }) },
    services,
    decisions: {
      restore: async () => undefined,
      note: (_state, { outcome }) => noted.push(`${outcome.from} to ${outcome.to}`),
    },
    instances: () => ({ known: true, instances: world.instances }),
    backendOf: (service) => service,
    alerts: () => [],
    takeCreation: () => undefined,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    clock: systemClock,
  };
  const loop = new PolicyLoop(policy(), parts);
  const evaluate = async () => {
    await loop.evaluate(new AbortController().signal);
    return services.get('web')?.wanted;
  };
  return { world, evaluate, noted };
}

test('the size that is found is the first one wanted', async () => {
  const { evaluate } = stage();
  assert.equal(await evaluate(), 3);
});

test('a policy that comes before the first instance does not want none', async () => {
  const { world, evaluate } = stage();
  const { instances } = world;
  world.instances = [];
  assert.equal(await evaluate(), undefined);
  world.instances = instances;
  assert.equal(await evaluate(), 3);
});

test('instances that people made and that are on their way out are not counted as started by hand', async () => {
  const { world, evaluate, noted } = stage();
  await evaluate();
  world.load = 10;
  assert.equal(await evaluate(), 1);
  // They have not drained yet.
  assert.equal(await evaluate(), 1);
  assert.equal(await evaluate(), 1);
  assert.deepEqual(noted.slice(1), ['3 to 1', '1 to 1', '1 to 1']);
});

test('one that somebody starts by hand is taken as the new size, and not fought', async () => {
  const { world, evaluate } = stage();
  await evaluate();
  world.instances = [
    ...world.instances,
    instance('d', { startAgeMs: 10, serving: false, phase: 'starting' }),
  ];
  world.load = 40;
  assert.equal(await evaluate(), 4);
  assert.equal(await evaluate(), 4);
});

test('clones of ours, and what an operator’s hand has restarted, change nothing', async () => {
  const { world, evaluate } = stage();
  await evaluate();
  world.instances = [...world.instances, instance('e', { clone: true })];
  assert.equal(await evaluate(), 3);
  world.instances = world.instances.map((each) =>
    each.id === 'a' ? instance('a', { startAgeMs: 5 }) : each,
  );
  assert.equal(await evaluate(), 3);
});

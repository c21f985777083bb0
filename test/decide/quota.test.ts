// A cap over all services.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { capServices, type QuotaRequest } from '../../coordinator/decide/quota.ts';
import { checked } from './seed.ts';

const none = { instances: null, cpuMilli: null, memoryBytes: null };

function request(
  service: string,
  current: number,
  wanted: number,
  extra: Partial<QuotaRequest> = {},
): QuotaRequest {
  return { service, current, wanted, priority: 0, cpuMilli: 100, memoryBytes: 0, ...extra };
}

test('steps down are granted; what is left goes to the highest priority, and equals take turns', () => {
  const grants = capServices(
    [request('a', 4, 2), request('b', 2, 9), request('c', 2, 9), request('vip', 1, 3, { priority: 5 })],
    { ...none, instances: 12 },
  );
  assert.deepEqual(grants.sizes, { a: 2, b: 4, c: 3, vip: 3 });
  assert.deepEqual(grants.limited, ['b', 'c']);
  assert.equal(grants.reserved.instances, 12);
});

test('a cap that is exceeded already takes nothing away, and gives nothing', () => {
  const grants = capServices([request('a', 6, 8), request('b', 6, 6)], { ...none, instances: 10 });
  assert.deepEqual(grants.sizes, { a: 6, b: 6 });
});

test('what a service does not reserve cannot stop it', () => {
  const grants = capServices([request('a', 1, 5), request('free', 1, 5, { cpuMilli: 0 })], {
    ...none,
    cpuMilli: 200,
  });
  assert.deepEqual(grants.sizes, { a: 2, free: 5 });
});

test('never above the cap unless it was before, never below what a service keeps, never above what it wants', () => {
  const requests = fc.uniqueArray(
    fc.record({
      service: fc.string({ minLength: 1, maxLength: 3 }),
      current: fc.nat({ max: 10 }),
      wanted: fc.nat({ max: 15 }),
      priority: fc.nat({ max: 2 }),
      cpuMilli: fc.constantFrom(0, 100, 250),
      memoryBytes: fc.constantFrom(0, 64, 512),
    }),
    { selector: ({ service }) => service, maxLength: 8 },
  );
  const caps = fc.record({
    instances: fc.option(fc.nat({ max: 60 })),
    cpuMilli: fc.option(fc.nat({ max: 5000 })),
    memoryBytes: fc.option(fc.nat({ max: 20_000 })),
  });
  checked(
    fc.property(requests, caps, (given, cap) => {
      const { sizes, reserved } = capServices(given, cap);
      const kept = given.reduce((sum, { current, wanted }) => sum + Math.min(current, wanted), 0);
      const keptCpu = given.reduce(
        (sum, { current, wanted, cpuMilli }) => sum + Math.min(current, wanted) * cpuMilli,
        0,
      );
      if (cap.instances !== null) assert.ok(reserved.instances <= Math.max(cap.instances, kept));
      if (cap.cpuMilli !== null) assert.ok(reserved.cpuMilli <= Math.max(cap.cpuMilli, keptCpu));
      for (const { service, current, wanted } of given) {
        const size = sizes[service] ?? Number.NaN;
        assert.ok(size >= Math.min(current, wanted) && size <= wanted);
      }
      assert.deepEqual(capServices(given.toReversed(), cap).sizes, sizes);
    }),
    300,
  );
});

// What a container is promised, and what a host's containers are promised together.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readSize } from '../../coordinator/targets/docker/host-size.ts';
import type { InstanceParts } from '../../coordinator/targets/docker/instance.ts';
import {
  nothingReserved,
  type Reservation,
  readReservation,
} from '../../coordinator/targets/docker/reservation.ts';

describe('what a container is promised', () => {
  it('is its memory reservation, else its limit, and its CPU limit however that was given', () => {
    assert.deepEqual(readReservation({ Memory: 64, MemoryReservation: 32, NanoCpus: 5e8 }), {
      memoryBytes: 32,
      cpuMilli: 500,
    });
    assert.deepEqual(readReservation({ Memory: 64, CpuQuota: 25_000, CpuPeriod: 50_000 }), {
      memoryBytes: 64,
      cpuMilli: 500,
    });
    assert.deepEqual(readReservation({ CpuQuota: 25_000 }), { memoryBytes: undefined, cpuMilli: 250 });
  });

  it('is nothing where Docker writes 0, -1 or no value', () => {
    for (const none of [
      {},
      { Memory: 0, NanoCpus: 0, CpuQuota: -1 },
      { Memory: null, MemoryReservation: null },
    ])
      assert.deepEqual(readReservation(none), nothingReserved);
  });

  it('counts on a host for containers that are running or paused, whoever they belong to, and not for stopped ones', () => {
    const container = (State: string, reservation: Reservation) =>
      ({ parts: { listed: { State }, details: { reservation } } as InstanceParts }) as const;
    const built = new Map([
      ['running', container('running', { memoryBytes: 10, cpuMilli: 1 })],
      ['paused', container('paused', { memoryBytes: 200, cpuMilli: 20 })],
      ['restarting', container('restarting', { memoryBytes: 3000, cpuMilli: undefined })],
      ['exited', container('exited', { memoryBytes: 40_000, cpuMilli: 400 })],
      ['created', container('created', { memoryBytes: 40_000, cpuMilli: 400 })],
      ['plain', container('running', nothingReserved)],
    ]);
    const machine = { memoryBytes: 1e6, cpuMilli: 4000 };
    assert.deepEqual(readSize(machine, built), { machine, promised: { memoryBytes: 3210, cpuMilli: 21 } });
  });
});

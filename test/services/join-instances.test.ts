// How old an instance is, and for how long it has not served: by our own clock, whatever its engine's shows and whatever
// states it goes through.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  emptyMemory,
  type InstanceMemory,
  joinInstances,
  type Sightings,
} from '../../coordinator/services/join-instances.ts';
import { isLeft, isUnhealthy, type ServiceInstance } from '../../coordinator/services/service-instance.ts';
import type { Instance } from '../../coordinator/targets/docker/instance.ts';
import { nothingReserved } from '../../coordinator/targets/docker/reservation.ts';
import { agentRecord } from '../docker/agent-record.ts';
import { dockerInstance } from './docker-instance.ts';

const wall = Date.parse('2026-03-02T10:00:00Z');

/** Looks again and again, with what it remembers. */
class Looks {
  #memory: InstanceMemory = emptyMemory;
  readonly #clockAheadMs: number;

  constructor(clockAheadMs = 0) {
    this.#clockAheadMs = clockAheadMs;
  }

  look(now: number, container: Partial<Instance>, phase: 'ready' | 'unready' = 'unready'): ServiceInstance {
    const sightings: Sightings = {
      hosts: [
        {
          ...{ host: 'lab', known: true, at: now, clockAheadMs: this.#clockAheadMs },
          ...{ instances: [dockerInstance({ createdAt: wall, startedAt: wall, ...container })] },
          size: { machine: nothingReserved, promised: { memoryBytes: 0, cpuMilli: 0 } },
        },
      ],
      agents: [agentRecord({ id: 'agent-1', service: 'web', phase })],
      haproxys: [],
      sessions: undefined,
      byOperator: new Set(),
      spares: new Set(),
      agentOf: ({ agentId }) => agentId,
      memory: this.#memory,
      now,
      wall: wall + now,
    };
    const { byService, memory } = joinInstances(sightings);
    this.#memory = memory;
    return byService.get('web')?.[0] ?? assert.fail();
  }
}

describe('an engine whose clock is wrong', () => {
  for (const aheadMs of [-600_000, 600_000]) {
    const theirs = wall + aheadMs;
    it(`makes no container older than it is, ${aheadMs / 1000} s ahead`, () => {
      const looks = new Looks(aheadMs);
      const created = { state: 'created', createdAt: theirs, startedAt: undefined } as const;
      assert.equal(isLeft(looks.look(0, created)), false);
      assert.equal(isLeft(looks.look(2000, created)), false);
      assert.equal(isLeft(looks.look(4000, created)), true, 'it is left when we have seen it for long');
      const theirOwn = { ...created, id: 'c2', settings: {} };
      assert.equal(isLeft(looks.look(5000, theirOwn)), false);
      assert.equal(isLeft(looks.look(14_000, theirOwn)), false);
      assert.equal(isLeft(looks.look(16_000, theirOwn)), true);
    });
    it(`has no say in how long one has served, ${aheadMs / 1000} s ahead`, () => {
      const looks = new Looks(aheadMs);
      const started = { createdAt: theirs, startedAt: theirs };
      assert.equal(looks.look(1000, started, 'ready').servingMs, 0);
      assert.equal(looks.look(31_000, started, 'ready').servingMs, 30_000);
      assert.equal(looks.look(32_000, started).servingMs, 0);
      const { startAgeMs, createdAt } = looks.look(40_000, started, 'ready');
      assert.deepEqual(
        [startAgeMs, createdAt],
        [40_000, wall],
        'corrected by what the engine says of its clock',
      );
    });
  }
  it('that does not tell its clock is left with our own for all that is decided by an age', () => {
    const looks = new Looks();
    const created = { state: 'created', createdAt: wall - 3_600_000, startedAt: undefined } as const;
    assert.equal(isLeft(looks.look(0, created)), false);
  });
});

describe("a container that Docker's own restart policy starts again and again", () => {
  it('is unhealthy when it has not served for 30 s, whatever it flaps between', () => {
    const looks = new Looks();
    let last = looks.look(0, {});
    for (let now = 1000; now <= 31_000; now += 1000) {
      last = looks.look(now, { state: now % 3000 === 0 ? 'running' : 'restarting' });
      assert.equal(isUnhealthy(last, 30_000), now > 30_000, `after ${now} ms`);
    }
    assert.equal(last.state, 'restarting');
    assert.equal(looks.look(32_000, {}, 'ready').notServingMs, 0);
    assert.equal(isUnhealthy(looks.look(33_000, { state: 'restarting' }), 30_000), false);
  });
  it('begins anew when it was stopped and started', () => {
    const looks = new Looks();
    looks.look(0, {});
    looks.look(29_000, { state: 'exited' });
    assert.equal(looks.look(31_000, {}).notServingMs, 0);
  });
});

// An instance that runs and serves, for tests of the plan.
import type { ServiceInstance } from '../../coordinator/services/service-instance.ts';

export function instance(id: string, over: Partial<ServiceInstance> = {}): ServiceInstance {
  return {
    id,
    name: id,
    host: 'local',
    state: 'running',
    health: 'none',
    agent: id,
    phase: 'ready',
    serving: true,
    registered: true,
    sessions: 0,
    seenAgeMs: 60_000,
    startAgeMs: 60_000,
    outOfMemory: false,
    servingMs: 60_000,
    notServingMs: 0,
    drainAgeMs: null,
    protected: false,
    madeSpare: false,
    clone: true,
    byOperator: false,
    ...over,
  };
}

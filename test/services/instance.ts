import type { ServiceInstance } from '../../coordinator/services/service-instance.ts';

/** An instance that has served for ten minutes, unless told otherwise. */
export function instance(id: string, over: Partial<ServiceInstance> = {}): ServiceInstance {
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
    createdAgeMs: 600_000,
    startAgeMs: 600_000,
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

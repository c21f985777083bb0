// An instance as Docker shows it: a clone that runs, for tests of what is made of it.
import type { Instance } from '../../coordinator/targets/docker/instance.ts';
import { nothingReserved } from '../../coordinator/targets/docker/reservation.ts';

export function dockerInstance(over: Partial<Instance>): Instance {
  return {
    ...{ id: 'c1', name: 'web_1', host: 'lab', service: 'web', state: 'running', health: 'none' },
    ...{ labels: {}, settings: { clone: true }, labelProblems: [], networks: [], hasAgent: true },
    ...{ agentId: 'agent-1', protect: false, warm: false, isStale: false, image: 'i', imageId: 'i' },
    ...{ hostname: 'c1', exitCode: undefined, oomKilled: false, restartCount: 0, stopSeconds: 10 },
    ...{ createdAt: 0, startedAt: 0, finishedAt: undefined },
    ...{ cpuMilli: undefined, memoryBytes: undefined, reservation: nothingReserved },
    ...over,
  };
}

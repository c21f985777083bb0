// What a plan is made of, where a test does not care: one instance wanted, nothing under way, no budget.
import type { ServicePlanning } from '../../coordinator/services/plan-instances.ts';

export const planning = (over: Partial<ServicePlanning> = {}): ServicePlanning => ({
  instances: [],
  unknown: { hosts: new Set(), unlisted: 0 },
  wanted: 1,
  warm: 0,
  minAvailable: 0,
  busy: new Map(),
  creating: { active: 0, spare: 0 },
  creatable: () => ({ atMost: Number.POSITIVE_INFINITY, why: '' }),
  startWait: () => undefined,
  unhealthyAfterMs: 30_000,
  drainDeadlineMs: 60_000,
  orderVictims: (candidates) => candidates,
  ...over,
});

// Before anything else: may this coordinator decide for this policy now?
import type { Observations } from './observation.ts';
import type { Policy } from './policy.ts';
import type { ReasonCode } from './reasons.ts';

export type Closed = { readonly code: ReasonCode; readonly detail: string };

export function closedGate(policy: Policy, observations: Observations): Closed | null {
  const { gate, target } = observations;
  if (gate?.leader === false) return { code: 'NotLeader', detail: 'another coordinator holds the lease' };
  if (!policy.enabled) return { code: 'Disabled', detail: 'the policy is disabled' };
  if (gate?.conflictsWith !== undefined) {
    return { code: 'Conflict', detail: `policy ${gate.conflictsWith} claims the same service` };
  }
  if (!target.ok) return { code: 'TargetUnreadable', detail: target.message };
  if (gate?.ownWriteVisible === false) {
    return { code: 'WaitingForOwnWrite', detail: 'the last change cannot be seen on the target yet' };
  }
  return null;
}

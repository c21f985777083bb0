// What can be done to a slot, as data: planned by plan-slots.ts, carried out by apply-steps.ts, and the same in the
// log, the audit and a dry run.
import type { ServerName } from '../../shared/haproxy/commands.ts';
import type { AppAddress } from '../../shared/haproxy/slots.ts';

interface StepBase {
  slot: ServerName;
  /** The agent whose instance it is about; undefined when nobody is known. */
  agent: string | undefined;
  reason: string;
  /** Done at once; other steps wait until the difference has stood for a while, since an agent may be mending it. */
  urgent: boolean;
}

export type SlotStep =
  /** Write an address and a state into a slot that is free, or that holds `instead`. */
  | (StepBase & {
      kind: 'assign';
      app: AppAddress;
      state: 'ready' | 'drain';
      instead: AppAddress | undefined;
    })
  /** Dynamic mode: make the server of an instance again, as its agent made it. */
  | (StepBase & { kind: 'add'; app: AppAddress; state: 'ready' | 'drain'; parameters: string })
  /** Dynamic mode: remove a server that was given back and that HAProxy did not let go then. */
  | (StepBase & { kind: 'delete' })
  /** The address is right, the state is not. */
  | (StepBase & { kind: 'set-state'; app: AppAddress; state: 'ready' | 'drain' })
  /** Take a slot from an owner who is gone, or who has another one: maintenance, then the free address. */
  | (StepBase & { kind: 'release'; app: AppAddress })
  /** Out of traffic at once: HAProxy would send requests to itself. */
  | (StepBase & { kind: 'mute' })
  /** Remove a lock row whose holder is dead. `slot` is the row. */
  | (StepBase & { kind: 'break-lock' })
  /** Nothing: somebody means it so. Reported once. */
  | (StepBase & { kind: 'hold' });

export type SlotStepKind = SlotStep['kind'];

/** The same difference found again has the same key. */
export function stepKey(step: SlotStep): string {
  const app = 'app' in step ? `${step.app.address}:${step.app.port}` : '';
  const state = 'state' in step ? step.state : '';
  return `${step.kind} ${step.slot.backend}/${step.slot.name} ${app} ${state} ${step.agent ?? ''}`;
}

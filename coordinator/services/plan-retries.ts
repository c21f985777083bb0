// Steps that failed a moment ago: they are held, with the reason, until it is time to try again. Pure.
//
// Nothing else is done in place of a stop, a drain, a pause or a deletion that fails: a healthy instance would go for one
// that cannot. What cannot be put back into traffic is passed over, and another one serves in its place (plan-up.ts).
import type { InstanceStep, InstanceStepKind } from './instance-step.ts';

/** Why a step of this kind is not tried on the container yet; undefined when it may be. */
export type RetryWait = (kind: InstanceStepKind, id: string) => string | undefined;

export const neverFailed: RetryWait = () => undefined;

export function withoutWaiting(steps: readonly InstanceStep[], retryWait: RetryWait): InstanceStep[] {
  return steps.map((step) => {
    const why = 'id' in step ? retryWait(step.kind, step.id) : undefined;
    if (why === undefined || !('id' in step)) return step;
    return holdBack(step, why);
  });
}

const done: Record<Exclude<InstanceStepKind, 'hold' | 'create'>, string> = {
  undrain: 'put back into traffic',
  unpark: 'unpaused',
  start: 'started',
  drain: 'drained',
  park: 'paused',
  stop: 'stopped',
  remove: 'deleted',
};

export function holdBack(
  { kind, name }: { kind: keyof typeof done; name: string },
  why: string,
): InstanceStep {
  return { kind: 'hold', reason: `${name} is not ${done[kind]}: ${why}` };
}

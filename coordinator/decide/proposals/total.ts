// One total for the whole service: against one target (HPA: Value), or against a target per instance (HPA: AverageValue).
import { saturateUp } from '../saturate.ts';
import { isWithinTolerance, leaning, type Tolerance } from '../tolerance.ts';
import { usagePerInstance } from '../usage.ts';
import { invalid, measure, type Proposal } from './proposal.ts';

export type ValueInput = {
  readonly n: number;
  readonly value: number;
  readonly target: number;
  /** Ready instances; null: there is not one instance to look at. */
  readonly ready: number | null;
  readonly tolerance: Tolerance;
};

/** A target of 0 ("keep the queue empty") makes each unit ask for one. */
export function ratioOf(value: number, target: number): number {
  return target === 0 ? value : value / target;
}

/** ceil(ratio x ready); from 0 ceil(ratio), without tolerance. */
export function proposeByValue(input: ValueInput): Proposal {
  const { n, value, target, ready, tolerance } = input;
  const ratio = ratioOf(value, target);
  if (n > 0 && ready === null) return invalid('no-instances', 'there are no instances to multiply by');
  const basis = n === 0 ? 1 : (ready ?? 0);
  const load = ratio * basis;
  const measured = measure(value, ratio, basis);
  if (leaning(n, ratio, tolerance) === 'none')
    return { outcome: 'keep', cause: 'within-tolerance', load, measured };
  return { outcome: 'value', count: saturateUp(load), load, measured };
}

export type TotalInput = {
  readonly value: number;
  readonly targetPerInstance: number;
  /** Instances that there are, which may differ from the wanted size. */
  readonly observed: number;
  readonly tolerance: Tolerance;
};

/** Keep when value/(target x observed) is in tolerance, else ceil(value/target). */
export function proposeByTotal(input: TotalInput): Proposal {
  const { value, targetPerInstance, observed, tolerance } = input;
  const load = value / targetPerInstance;
  const measured = {
    ...measure(value, observed === 0 ? null : load / observed, observed),
    average: reportedAverage(value, observed),
  };
  // The product first, as the HPA does: dividing twice rounds twice.
  const ratio = value / (targetPerInstance * observed);
  if (observed > 0 && isWithinTolerance(ratio, tolerance)) {
    return { outcome: 'keep', cause: 'within-tolerance', load, measured };
  }
  return { outcome: 'value', count: saturateUp(load), load, measured };
}

/** The value for each instance, in thousandths and rounded up, as reports show it. */
function reportedAverage(value: number, observed: number): number {
  return usagePerInstance(Math.round(value * 1000), observed) / 1000;
}

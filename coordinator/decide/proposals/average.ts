// Wanted value per instance, from a sample of each (HPA: Pods, AverageValue). Counted in thousandths, as the HPA does. On the way down
// an instance without a sample is taken to be exactly at the target; on the way up at 0.
import type { ClassRules } from '../classes.ts';
import type { InstanceObservation, PerInstanceReading } from '../observation.ts';
import type { Tolerance } from '../tolerance.ts';
import { usageRatio } from '../usage.ts';
import { proposeByRatio } from './fill-in.ts';
import { invalid, type Proposal } from './proposal.ts';
import { type Tally, tally } from './tally.ts';
import { noSamples } from './utilization.ts';

/** Whole units in 1. */
const thousandths = 1000;

/** Fewer samples are never trimmed. */
const leastToTrim = 5;

export type AverageInput = {
  readonly n: number;
  readonly target: number;
  readonly average: 'mean' | 'trimmed';
  readonly reading: PerInstanceReading;
  readonly instances: readonly InstanceObservation[];
  readonly rules: ClassRules;
  readonly tolerance: Tolerance;
};

export function proposeAverage(input: AverageInput): Proposal {
  const { n, reading, instances, rules, tolerance } = input;
  const target = Math.max(1, Math.round(input.target * thousandths));
  const counts = tally(instances, reading, rules, thousandths);
  if (counts.ready === 0) return invalid('no-samples', noSamples(instances));
  const usage = input.average === 'trimmed' ? trimmedUsage(counts) : counts.usage;
  const first = usageRatio(usage, counts.ready, target);
  const average = first.average / thousandths;
  const look = { n, ratio: first.ratio, value: average, average, tally: counts, tolerance };
  return proposeByRatio(look, (withUnready) => {
    const filled = usage + (first.ratio < 1 ? counts.missing.length * target : 0);
    const count = counts.ready + counts.missing.length + (withUnready ? counts.unready.length : 0);
    return usageRatio(filled, count, target).ratio;
  });
}

/** What all would use if each used the mean without the highest and lowest tenth. */
function trimmedUsage(counts: Tally): number {
  const { values } = counts;
  if (values.length < leastToTrim) return counts.usage;
  const cut = Math.max(1, Math.floor(values.length / 10));
  const kept = values.toSorted((a, b) => a - b).slice(cut, values.length - cut);
  return (kept.reduce((sum, value) => sum + value, 0) / kept.length) * values.length;
}

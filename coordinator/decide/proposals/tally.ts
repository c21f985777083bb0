// One pass over the instances of a service: how many are ready, unready or missing for one metric, and what they use and requested.
import { type ClassRules, classify } from '../classes.ts';
import type { InstanceObservation, PerInstanceReading } from '../observation.ts';

export type Tally = {
  readonly ready: number;
  /** Values of the ready ones, in whole units. */
  readonly values: readonly number[];
  readonly usage: number;
  readonly unready: readonly string[];
  readonly missing: readonly string[];
};

const none: readonly string[] = [];

/** `unit` is how many whole units make 1 (1000 for thousandths). */
export function tally(
  instances: readonly InstanceObservation[],
  reading: PerInstanceReading,
  rules: ClassRules,
  unit: number,
): Tally {
  const values: number[] = [];
  let usage = 0;
  let unready: string[] | null = null;
  let missing: string[] | null = null;
  for (const instance of instances) {
    const sample = reading.samples[instance.id];
    const kind = classify(instance, sample, rules);
    if (kind === 'ready' && sample !== undefined) {
      const value = unit === 1 ? sample.value : Math.round(sample.value * unit);
      values.push(value);
      usage += value;
    } else if (kind === 'unready') {
      unready ??= [];
      unready.push(instance.id);
    } else if (kind === 'missing') {
      missing ??= [];
      missing.push(instance.id);
    }
  }
  return { ready: values.length, values, usage, unready: unready ?? none, missing: missing ?? none };
}

// Knative: panic, sliding maxima and bucketed averages.
import { type PanicState, spareForBurst, startPanic, stepPanic } from '../../../coordinator/decide/panic.ts';
import {
  type BucketWindow,
  decayCoefficient,
  recordValue,
  weightedMean,
  windowMean,
} from '../../../coordinator/decide/window-average.ts';
import { addToWindow, largestIn, type Peak } from '../../../coordinator/decide/window-max.ts';
import type { Adapter, Answer } from '../adapter.ts';
import {
  flagOf,
  type Input,
  numberOf,
  numberOrNull,
  numbersOf,
  objectOf,
  objectOrNull,
  objectsOf,
  secondsOf,
  secondsOrNull,
  textOf,
} from '../fields.ts';

const tickSeconds = 2;

type Timeline = { readonly panic: PanicState | null; readonly delay: readonly Peak[]; readonly spec: Input };

const sequence: Adapter = (input) => {
  const spec = objectOf(input, 'spec');
  let timeline: Timeline = { panic: startFrom(input), delay: [], spec };
  const buckets = Math.ceil(numberOf(spec, 'scaleDownDelaySeconds') / tickSeconds);
  const steps = objectsOf(input, 'steps').map((step) => {
    const taken = stepFrom(timeline, step, buckets);
    timeline = taken.timeline;
    return taken.answer;
  });
  return { steps };
};

function startFrom(input: Input): PanicState | null {
  const ready = numberOf(input, 'readyAtStart');
  const ageMs = secondsOrNull(input, 'panicAgeSecondsAtStart');
  const highest = numberOrNull(input, 'maxPanicReplicasAtStart');
  const started = startPanic(ready, 0);
  if (ageMs === null) return started === null ? null : { ...started, highest: highest ?? started.highest };
  return { since: -ageMs, highest: highest ?? ready, highestAt: -ageMs };
}

function stepFrom(before: Timeline, step: Input, buckets: number): { timeline: Timeline; answer: Answer } {
  const timeline = { ...before, spec: objectOrNull(step, 'replaceSpec') ?? before.spec };
  if (flagOf(step, 'metricError') || flagOf(step, 'countError'))
    return { timeline, answer: { valid: false } };
  const { spec } = timeline;
  const ready = numberOf(step, 'readyReplicas');
  const short = numberOf(step, 'panicAverage');
  const reachable = flagOf(spec, 'reachable');
  const taken = stepPanic(
    {
      stable: numberOf(step, 'stableAverage'),
      short,
      targetPerInstance: numberOf(spec, 'targetValue'),
      ready,
      threshold: numberOf(spec, 'panicThreshold'),
      stableMs: secondsOf(spec, 'stableWindowSeconds'),
      maxScaleUpRate: numberOf(spec, 'maxScaleUpRate'),
      maxScaleDownRate: reachable ? numberOf(spec, 'maxScaleDownRate') : null,
      minWhenActive: numberOf(spec, 'activationScale', 0),
    },
    timeline.panic,
    secondsOf(step, 'atSeconds'),
  );
  const delays = buckets > 0 && reachable;
  const index = Math.floor(numberOf(step, 'atSeconds') / tickSeconds);
  const delay = delays ? addToWindow(timeline.delay, index, taken.count, buckets) : timeline.delay;
  const burst = {
    target: numberOf(spec, 'targetBurstCapacity'),
    capacityPerInstance: numberOf(spec, 'totalValue'),
  };
  const answer = {
    valid: true,
    replicas: delays ? largestIn(delay) : taken.count,
    excessBurstCapacity: spareForBurst(burst, ready, short) ?? -1,
    panicking: taken.state !== null,
    panicSinceSeconds: taken.state === null ? null : taken.state.since / 1000,
  };
  return { timeline: { ...timeline, panic: taken.state, delay }, answer };
}

const start: Adapter = (input) => {
  const ready = numberOf(input, 'readyAtStart');
  const panic = startPanic(ready, 0);
  return { panicking: panic !== null, maxPanicReplicas: panic?.highest ?? ready };
};

const windowMax: Adapter = (input) => {
  const values = numbersOf(input, 'values');
  const width = numberOf(input, 'windowBuckets');
  let peaks: Peak[] = [];
  const maxAfterEach = numbersOf(input, 'bucketIndexes').map((index, place) => {
    peaks = addToWindow(peaks, index, values[place] ?? 0, width);
    return largestIn(peaks);
  });
  return { maxAfterEach };
};

const timedWindowMax: Adapter = (input) => {
  const granularity = numberOf(input, 'granularitySeconds');
  const width = Math.ceil(numberOf(input, 'windowSeconds') / granularity);
  const peaks = objectsOf(input, 'samples').reduce<Peak[]>((window, sample) => {
    const index = Math.floor(numberOf(sample, 'atSeconds') / granularity);
    return addToWindow(window, index, numberOf(sample, 'value'), width);
  }, []);
  return { max: largestIn(peaks) };
};

function averages(average: typeof windowMean): Adapter {
  return (input) => {
    const granularity = numberOf(input, 'granularitySeconds');
    const rules = {
      size: Math.ceil(numberOf(input, 'windowSeconds') / granularity),
      mode: 'counts',
    } as const;
    let window: BucketWindow | null = null;
    const answers: number[] = [];
    for (const operation of objectsOf(input, 'operations')) {
      const index = Math.floor(numberOf(operation, 'atSeconds') / granularity);
      if (textOf(operation, 'op') === 'record')
        window = recordValue(window, index, numberOf(operation, 'value'), rules);
      else answers.push(average(window, index, rules) ?? 0);
    }
    return { averages: answers };
  };
}

const coefficient: Adapter = (input) => ({
  coefficient: decayCoefficient(
    numberOf(input, 'buckets'),
    numberOf(input, 'minimum'),
    numberOf(input, 'coverage'),
  ),
});

export const knative: Readonly<Record<string, Adapter>> = {
  kpa_sequence: sequence,
  kpa_start: start,
  window_max: windowMax,
  timed_window_max: timedWindowMax,
  window_average: averages(windowMean),
  weighted_average: averages(weightedMean),
  decay_coefficient: coefficient,
};

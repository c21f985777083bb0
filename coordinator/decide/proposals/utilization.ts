// Percent of what the instances requested (HPA: Resource, Utilization). On the way down an instance without a sample is taken to use
// all of its request, or the target where that is above 100 %; on the way up nothing.
import type { ClassRules } from '../classes.ts';
import { isCounted } from '../classes.ts';
import type { InstanceObservation, PerInstanceReading } from '../observation.ts';
import type { Tolerance } from '../tolerance.ts';
import { totalRequest, usageRatio, utilizationRatio } from '../usage.ts';
import { proposeByRatio } from './fill-in.ts';
import { invalid, type Proposal } from './proposal.ts';
import { type Tally, tally } from './tally.ts';

export type UtilizationInput = {
  readonly n: number;
  readonly percent: number;
  readonly reading: PerInstanceReading;
  readonly instances: readonly InstanceObservation[];
  readonly rules: ClassRules;
  readonly tolerance: Tolerance;
};

type Requests = { ready: number; missing: number; unready: number; missingUsage: number };

export function proposeUtilization(input: UtilizationInput): Proposal {
  const { n, percent, reading, instances, rules, tolerance } = input;
  const counts = tally(instances, reading, rules, 1);
  if (counts.ready === 0) return invalid('no-samples', noSamples(instances));
  const requests = addRequests(input, counts);
  if (typeof requests === 'string')
    return invalid('missing-request', `instance ${requests} has no limit or request`);
  const first = utilizationRatio(counts.usage, requests.ready, percent);
  if (first === null) return invalid('no-requests', 'the instances requested nothing');
  const { average } = usageRatio(counts.usage, counts.ready, 1);
  const look = { n, ratio: first.ratio, value: first.percent, average, tally: counts, tolerance };
  return proposeByRatio(look, (withUnready) => {
    const usage = counts.usage + (first.ratio < 1 ? requests.missingUsage : 0);
    const request = requests.ready + requests.missing + (withUnready ? requests.unready : 0);
    return utilizationRatio(usage, request, percent)?.ratio ?? first.ratio;
  });
}

export function noSamples(instances: readonly InstanceObservation[]): string {
  return instances.length === 0 ? 'there are no instances' : 'no ready instance has a fresh sample';
}

/** Requests by class, or the id of the instance that has none. */
function addRequests(input: UtilizationInput, counts: Tally): Requests | string {
  const { instances, reading, percent } = input;
  const missing = new Set(counts.missing);
  const unready = new Set(counts.unready);
  const likeOthers = reading.requests === undefined ? meanRequest(reading, instances) : null;
  const sums: Requests = { ready: 0, missing: 0, unready: 0, missingUsage: 0 };
  for (const instance of instances) {
    if (!isCounted(instance)) continue;
    const { id } = instance;
    const isMissing = missing.has(id);
    const isUnready = unready.has(id);
    const own = reading.requests?.[id] ?? reading.samples[id]?.request ?? null;
    const total = totalRequest([{ name: id, request: own ?? (isMissing || isUnready ? likeOthers : null) }]);
    if (!total.ok) return total.part;
    if (isUnready) sums.unready += total.request;
    else if (isMissing) {
      sums.missing += total.request;
      sums.missingUsage += Math.floor((total.request * Math.max(100, percent)) / 100);
    } else sums.ready += total.request;
  }
  return sums;
}

function meanRequest(reading: PerInstanceReading, instances: readonly InstanceObservation[]): number | null {
  let sum = 0;
  let count = 0;
  for (const { id } of instances) {
    const request = reading.samples[id]?.request;
    if (request === undefined) continue;
    sum += request;
    count += 1;
  }
  return count === 0 ? null : Math.round(sum / count);
}

// Percent of what the instances requested (HPA: Resource, Utilization). On the way down an instance without a sample is taken to use
// all of its request, or the target where that is above 100 %; on the way up nothing.
import type { ClassRules } from '../classes.ts';
import { isCounted } from '../classes.ts';
import type { InstanceObservation, PerInstanceReading } from '../observation.ts';
import type { Tolerance } from '../tolerance.ts';
import { type RequestPart, totalRequest, usageRatio, utilizationRatio } from '../usage.ts';
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
function addRequests({ instances, reading, percent }: UtilizationInput, counts: Tally): Requests | string {
  const isComplete = counts.missing.length === 0 && counts.unready.length === 0;
  const missing = new Set(counts.missing);
  const unready = new Set(counts.unready);
  const likeOthers = isComplete || reading.requests !== undefined ? null : meanRequest(reading, instances);
  const parts: Record<'ready' | 'missing' | 'unready', RequestPart[]> = {
    ready: [],
    missing: [],
    unready: [],
  };
  for (const instance of instances) {
    if (!isCounted(instance)) continue;
    const { id } = instance;
    const kind = isComplete ? 'ready' : unready.has(id) ? 'unready' : missing.has(id) ? 'missing' : 'ready';
    const own = reading.requests?.[id] ?? reading.samples[id]?.request ?? null;
    parts[kind].push({ name: id, request: own ?? (kind === 'ready' ? null : likeOthers) });
  }
  const ready = totalRequest(parts.ready);
  const absent = totalRequest(parts.missing);
  const warming = totalRequest(parts.unready);
  if (!ready.ok) return ready.part;
  if (!absent.ok) return absent.part;
  if (!warming.ok) return warming.part;
  const full = Math.max(100, percent);
  const missingUsage = parts.missing.reduce(
    (sum, part) => sum + Math.floor(((part.request ?? 0) * full) / 100),
    0,
  );
  return { ready: ready.request, missing: absent.request, unready: warming.request, missingUsage };
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

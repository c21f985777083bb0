// A queue that shall be empty within a horizon: what is in it and what will arrive until then, divided by what one instance finishes
// in that time. How fast one instance is, is learned from acknowledgements while there is something to do: a slow average, so that
// one odd second does not count. Arrivals that were known a moment ago and are not now (a broker's first answer after its restart has
// no rates) are taken for what they were: without them it would look as if the work were nearly done. Sources that never tell them are
// sized by what is in the queue alone.
import type { MetricTarget } from '../policy.ts';
import { saturateUp } from '../saturate.ts';
import type { MetricMemory } from '../state.ts';
import { isWithinTolerance, type Tolerance } from '../tolerance.ts';
import type { Proposed, Read } from './context.ts';
import { invalid, measure, type Proposal, wrongShape } from './proposal.ts';

/** Weight of a new measurement. */
const newWeight = 0.2;
/** How long arrivals stand for those that are not known. */
const arrivalsKeptMs = 60_000;

/** Messages per second that one instance acknowledges; the rate known before when nothing can be learned now. */
export function learnRate(
  known: number | null,
  seen: { depth: number; acknowledgedPerSecond: number | undefined; ready: number },
): number | null {
  const { depth, acknowledgedPerSecond, ready } = seen;
  if (acknowledgedPerSecond === undefined || !(acknowledgedPerSecond > 0) || ready === 0 || depth < ready)
    return known;
  const rate = acknowledgedPerSecond / ready;
  return known === null ? rate : known + newWeight * (rate - known);
}

export type DrainInput = {
  readonly depth: number;
  readonly arrivalsPerSecond: number;
  readonly ratePerInstance: number;
  readonly horizonSeconds: number;
  readonly observed: number;
  readonly tolerance: Tolerance;
};

export function proposeByDrainTime(input: DrainInput): Proposal {
  const { depth, arrivalsPerSecond, ratePerInstance, horizonSeconds, observed, tolerance } = input;
  const load = (depth + arrivalsPerSecond * horizonSeconds) / (ratePerInstance * horizonSeconds);
  const ratio = observed === 0 ? null : load / observed;
  const measured = measure(depth, ratio, observed);
  if (ratio !== null && isWithinTolerance(ratio, tolerance)) {
    return { outcome: 'keep', cause: 'within-tolerance', load, measured };
  }
  return { outcome: 'value', count: saturateUp(load), load, measured };
}

/** Proposes, and learns on the way. */
export function proposeDrain(
  target: Extract<MetricTarget, { kind: 'drainTime' }>,
  reading: Read,
  memory: MetricMemory | undefined,
  now: { observed: number; ready: number; tolerance: Tolerance; t: number },
): Proposed {
  if (reading.shape !== 'total') return { proposal: wrongShape('the depth of a queue'), memory };
  const { value: depth, acknowledgedPerSecond } = reading;
  const arrivals =
    reading.arrivalsPerSecond === undefined
      ? memory?.arrivals
      : { perSecond: reading.arrivalsPerSecond, at: now.t };
  const isRecent = arrivals !== undefined && now.t - arrivals.at <= arrivalsKeptMs;
  const arrivalsPerSecond = isRecent ? arrivals.perSecond : 0;
  const learned = learnRate(memory?.ratePerInstance ?? null, {
    depth,
    acknowledgedPerSecond,
    ready: now.ready,
  });
  const ratePerInstance = target.ratePerInstance ?? learned;
  const next = {
    ...memory,
    ...(learned === null ? {} : { ratePerInstance: learned }),
    ...(arrivals === undefined ? {} : { arrivals }),
  };
  if (ratePerInstance === null) {
    return {
      proposal: invalid('no-rate', 'how fast an instance works is neither given nor learned yet'),
      memory: next,
    };
  }
  const horizonSeconds = target.horizonMs / 1000;
  const proposal = proposeByDrainTime({ ...now, depth, arrivalsPerSecond, ratePerInstance, horizonSeconds });
  return { proposal, memory: next };
}

// Kubernetes: bounds, rate rules, stabilisation and the memory of past steps.
import { type LimitReason, limitByGrowth, limitStep, rateBound } from '../../../coordinator/decide/rates.ts';
import { largestCount } from '../../../coordinator/decide/saturate.ts';
import {
  changeWithin,
  isOutdated,
  type ScaleEvent,
  storeScaleEvent,
} from '../../../coordinator/decide/scale-events.ts';
import { stabilize } from '../../../coordinator/decide/stabilize.ts';
import type { Adapter } from '../adapter.ts';
import { type Input, numberOf, objectOrNull, objectsOf, secondsOf, textOf } from '../fields.ts';
import { noRules, rulesFrom } from './policies.ts';

const t = 0;

export const reasons: Readonly<Record<LimitReason, string>> = {
  'within-range': 'DesiredWithinRange',
  'rate-up': 'ScaleUpLimit',
  growth: 'ScaleUpLimit',
  'rate-down': 'ScaleDownLimit',
  maximum: 'TooManyReplicas',
  minimum: 'TooFewReplicas',
};

function eventsFrom(input: Input, key: string): ScaleEvent[] {
  return objectsOf(input, key).map((event) => ({
    change: numberOf(event, 'change'),
    at: t - secondsOf(event, 'ageSeconds'),
  }));
}

function stepsFrom(input: Input): { ups: ScaleEvent[]; downs: ScaleEvent[]; t: number } {
  return { ups: eventsFrom(input, 'pastScaleUps'), downs: eventsFrom(input, 'pastScaleDowns'), t };
}

const limitSimple: Adapter = (input) => {
  const limited = limitByGrowth(
    {
      n: numberOf(input, 'currentReplicas'),
      desired: numberOf(input, 'desiredReplicas'),
      min: numberOf(input, 'min'),
      max: numberOf(input, 'max'),
    },
    { factor: numberOf(input, 'growthFactor'), floor: numberOf(input, 'growthFloor') },
  );
  return { replicas: limited.count, reason: reasons[limited.reason] };
};

const limitRate: Adapter = (input) => {
  const limited = limitStep({
    n: numberOf(input, 'currentReplicas'),
    desired: numberOf(input, 'desiredReplicas'),
    min: numberOf(input, 'min'),
    max: numberOf(input, 'max'),
    up: rulesFrom(objectOrNull(input, 'scaleUpRules'), 'up', 0),
    down: rulesFrom(objectOrNull(input, 'scaleDownRules'), 'down', 300_000),
    growthCap: { factor: 2, floor: 4 },
    steps: stepsFrom(input),
  });
  return { replicas: limited.count, reason: reasons[limited.reason] };
};

const bound: Adapter = (input) => {
  const direction = textOf(input, 'direction') === 'down' ? 'down' : 'up';
  const rules = rulesFrom(objectOrNull(input, 'rules'), direction, 0);
  return { bound: rateBound(direction, numberOf(input, 'currentReplicas'), rules, stepsFrom(input)) };
};

function historyFrom(input: Input): { replicas: number; at: number }[] {
  return objectsOf(input, 'history').map((entry) => ({
    replicas: numberOf(entry, 'replicas'),
    at: t - secondsOf(entry, 'ageSeconds'),
  }));
}

/** The older form knows no size now, and so never stops below it. */
const stabilizeDown: Adapter = (input) => {
  const windows = { upMs: 0, downMs: secondsOf(input, 'windowSeconds') };
  const result = stabilize(historyFrom(input), largestCount, numberOf(input, 'desiredReplicas'), windows, t);
  return { replicas: result.count, historyLength: result.history.length };
};

const stabilizeBoth: Adapter = (input) => {
  const windows = {
    upMs: secondsOf(input, 'upWindowSeconds'),
    downMs: secondsOf(input, 'downWindowSeconds'),
  };
  const n = numberOf(input, 'currentReplicas');
  const result = stabilize(historyFrom(input), n, numberOf(input, 'desiredReplicas'), windows, t);
  return { replicas: result.count, historyReplicasAfter: result.history.map(({ replicas }) => replicas) };
};

const eventStore: Adapter = (input) => {
  const given = objectOrNull(input, 'rules');
  const rules = given === null ? noRules : rulesFrom(given, 'up', 0);
  const past = eventsFrom(input, 'past');
  const stored = storeScaleEvent(past, numberOf(input, 'newChange'), rules, t);
  return {
    changeInLast60Seconds: changeWithin(past, 60_000, t),
    storedChanges: stored.map(({ change }) => change),
    markedOutdated: stored.map((event) => given !== null && isOutdated(event, rules, t)),
  };
};

export const limits: Readonly<Record<string, Adapter>> = {
  limit_simple: limitSimple,
  limit_rate: limitRate,
  rate_bound: bound,
  stabilize_down: stabilizeDown,
  stabilize_both: stabilizeBoth,
  scale_event_store: eventStore,
};

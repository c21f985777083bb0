// A decision in words: what was read, what it asks for by which formula, what won, and what held it back. From the record alone.
import { formatDuration } from '../../shared/duration.ts';
import { explainMetric } from './explain-metric.ts';
import type { ReasonCode, Turn } from './reasons.ts';
import type { DecisionRecord } from './record.ts';

/** The headline, then one line for each thing that had a say. */
export function explain(record: DecisionRecord): string {
  return [
    headline(record),
    ...outOfBandLine(record),
    ...metricLines(record),
    ...combinedLine(record),
    ...turnLines(record),
  ].join('\n');
}

/** One line: `web: 4 -> 6, MetricsAbove, held back by RateLimit`. */
export function headline({ service, outcome }: DecisionRecord): string {
  const { from, to, wanted, reason, limits, detail, wouldBe } = outcome;
  const move = to === from ? `stays at ${from}` : `${from} -> ${to}`;
  const would = wouldBe === null ? '' : `, would be ${wouldBe}`;
  const asked = wanted === to || wanted === wouldBe ? '' : `, ${wanted} wanted`;
  const held = limits.filter((limit) => limit !== reason);
  const limited = held.length === 0 ? '' : `, held back by ${[...new Set(held)].join(', ')}`;
  return `${service}: ${move}${would}${asked} (${reason}${limited})${detail === null ? '' : `: ${detail}`}`;
}

function outOfBandLine({ outOfBand, n }: DecisionRecord): string[] {
  return outOfBand ? [`  somebody else set the size to ${n}`] : [];
}

function metricLines(record: DecisionRecord): string[] {
  const { metrics, n, observed, inputs } = record;
  return metrics.map((metric, index) => {
    const rule = inputs.policy.metrics[index];
    return rule === undefined ? metric.name : `  ${explainMetric(rule, metric, { n, observed })}`;
  });
}

function combinedLine({ combined, n }: DecisionRecord): string[] {
  if (combined === null) return [];
  const { code, winner, wanted, count, blind, guarding } = combined;
  switch (code) {
    case 'AllSourcesFailed':
      return [`  no source gave anything to decide by: the size is held at ${n}`];
    case 'Fallback':
      return [`  no source gave anything for too long: the fallback asks for ${count}`];
    case 'HeldByMissingData':
      return [
        `  ${wanted} would do, but ${listed(blind)} could not be read in full: up is allowed, down is not`,
      ];
    case 'GuardMetric':
      return [`  ${wanted} would do, but ${listed(guarding)} forbids going down`];
    case 'NoProposal':
      return [`  no metric has anything to say: the size is held at ${n}`];
    default:
      return winner === null
        ? [`  together they ask for ${count}`]
        : [`  ${winner} asks for the most: ${count}`];
  }
}

function listed(names: readonly string[]): string {
  return names.join(', ');
}

function turnLines(record: DecisionRecord): string[] {
  const lines = record.turns.map((turn) => `  ${turn.from} -> ${turn.to}: ${sentenceFor(turn, record)}`);
  if (record.combined !== null) return lines;
  return [
    `  ${sentenceFor({ code: record.outcome.reason, from: record.n, to: record.outcome.to }, record)}`,
    ...lines,
  ];
}

type Sentence = (record: DecisionRecord, turn: Turn) => string;

function sentenceFor(turn: Turn, record: DecisionRecord): string {
  const sentence = sentences[turn.code];
  return typeof sentence === 'string' ? sentence : sentence(record, turn);
}

const sentences: Readonly<Record<ReasonCode, string | Sentence>> = {
  WithinTolerance: 'demand is within the tolerance',
  NoProposal: 'no metric has anything to say',
  MetricsAbove: 'the metrics ask for more',
  MetricsBelow: 'the metrics ask for less',
  Bounds: ({ bounds: { low, high, schedules } }) => {
    const why = schedules.length === 0 ? '' : ` (by ${listed(schedules)})`;
    return `the size must be between ${low} and ${high}${why}`;
  },
  Panic: ({ panic }) =>
    panic === null
      ? 'in panic the size does not fall'
      : `panic: the short window asks for ${panic.shortCount}, the long one for ${panic.stableCount}; until it is over the size does not fall`,
  Woken: 'the service is in use again',
  ToIdle: 'the service was not in use for long enough',
  Fallback: 'no source gave anything for too long',
  Override: 'set by hand',
  PausedAt: 'paused at this size',
  NotLeader: 'another coordinator decides',
  Disabled: 'the policy is disabled',
  Conflict: 'another policy claims the same service',
  WaitingForOwnWrite: 'the last change is not visible yet',
  TargetUnreadable: 'the size of the service cannot be read',
  DisabledByHand: 'somebody set the size to 0, and only a person takes it from there',
  HeldByMissingData: 'data is missing: up is allowed, down is not',
  AllSourcesFailed: 'no source gave anything to decide by',
  GuardMetric: 'a guard forbids going down',
  ActivityUnknown: 'whether the service is in use cannot be told now',
  IdleSoon: 'not in use, but not for long enough yet',
  Idle: 'not in use',
  KeptActive: 'in use, so at least 1',
  WouldNotCope: ({ smoothed }) =>
    `fewer than ${smoothed?.safeSize} would be loaded so much that they had to come back`,
  Stabilized: ({ smoothed, n }) => {
    const { low, high } = smoothed?.stabilized ?? { low: n, high: n };
    return `recommendations within the stabilisation windows lie between ${low} and ${high}`;
  },
  Cooldown: ({ smoothed }) => `the cooldown lasts ${formatDuration(smoothed?.cooldownMs ?? 0)} more`,
  RateLimit: ({ smoothed }) => `the rate policies allow ${smoothed?.limited.bound} now`,
  GrowthCap: ({ smoothed }) => `one step may reach ${smoothed?.limited.bound} at most`,
  AtMaximum: ({ bounds }) => `the maximum is ${bounds.high}`,
  AtMinimum: ({ bounds }) => `the minimum is ${bounds.low}`,
  Rollout: 'a rolling update is in progress',
  Budget: ({ ready }) => `the budget lets no more of the ${ready} ready instances go`,
  Quota: ({ inputs }) => `the cap over all services leaves ${inputs.observations.quota}`,
  NoCapacity: ({ inputs }) => {
    const { fits = 0, why } = inputs.observations.capacity ?? {};
    return `the hosts can take ${fits} more${why === undefined ? '' : `, then ${why}`}`;
  },
  BackOff: 'creating instances failed: waiting before the next attempt',
  Paused: 'paused in this direction',
  DryRun: 'dry run: nothing is changed',
};

// Nomad: strategies, and which of several decisions wins.
import { chooseVote, preempt, type Vote } from '../../../coordinator/decide/combine.ts';
import { cooldownRemaining } from '../../../coordinator/decide/cooldown.ts';
import { decide } from '../../../coordinator/decide/decide.ts';
import { limitStep } from '../../../coordinator/decide/proposals/limit-step.ts';
import { proposeByValue, ratioOf } from '../../../coordinator/decide/proposals/total.ts';
import { clamp, directionOf } from '../../../coordinator/decide/saturate.ts';
import { emptyState } from '../../../coordinator/decide/state.ts';
import { leaning } from '../../../coordinator/decide/tolerance.ts';
import type { Adapter, Answer } from '../adapter.ts';
import {
  type Input,
  isInput,
  numberOf,
  numberOrNull,
  numbersOf,
  objectOf,
  secondsOf,
  textOf,
} from '../fields.ts';
import { answerOf, parseMetric, proposeFor } from './parsed-metric.ts';
import { metric, policy } from './policies.ts';

const source = { type: 'pushed', metric: 'm' };
const defaultTolerance = 0.01;

function stepLimits(input: Input): Input {
  return { maxScaleUp: input['maxScaleUp'], maxScaleDown: input['maxScaleDown'] };
}

/** The target itself may be 0 here, which a policy refuses; everything else is read as in a policy. */
const targetValue: Adapter = (input) => {
  const { threshold } = input;
  const tolerance = threshold === undefined || threshold === null ? defaultTolerance : threshold;
  const written = { name: 'm', source, target: { type: 'Value', value: 1 }, tolerance, ...stepLimits(input) };
  const parsed = parseMetric(written);
  if (input['target'] === undefined || input['target'] === null) return { error: 'target' };
  if (typeof input['target'] !== 'number') return { error: 'target' };
  if ('refused' in parsed) return { error: parsed.refused === 'tolerance' ? 'threshold' : parsed.refused };
  const value = numbersOf(input, 'metricValues').at(-1);
  if (value === undefined) return { result: null };
  const n = numberOf(input, 'count');
  const target = numberOf(input, 'target');
  const { tolerance: own, maxScaleUp, maxScaleDown } = parsed.metric;
  const proposal = proposeByValue({ n, value, target, ready: n, tolerance: own ?? { up: 0, down: 0 } });
  const answer = answerOf(proposal, n);
  const count = proposal.outcome === 'value' ? limitStep(n, proposal.count, maxScaleUp, maxScaleDown) : n;
  return { ...answer, count, direction: directionOf(n, count), factor: ratioOf(value, target) };
};

const targetDirection: Adapter = (input) => {
  const threshold = numberOf(input, 'threshold');
  const tolerance = { up: threshold, down: threshold };
  return { direction: leaning(numberOf(input, 'count'), numberOf(input, 'factor'), tolerance) };
};

const threshold: Adapter = (input) => {
  const parsed = parseMetric({
    name: 'm',
    source,
    target: withoutNulls({
      type: 'Threshold',
      lower: input['lowerBound'],
      upper: input['upperBound'],
      within: input['withinBoundsTrigger'],
      samples: Math.max(
        numbersOf(input, 'metricValues').length,
        numberOrNull(input, 'withinBoundsTrigger') ?? 5,
      ),
      addReplicas: input['delta'],
      addPercent: input['percentage'],
      setReplicas: input['value'],
    }),
    ...stepLimits(input),
  });
  if ('refused' in parsed) return { error: parsed.refused };
  const samples = numbersOf(input, 'metricValues');
  const value = samples.at(-1);
  if (value === undefined) return { result: null };
  const n = numberOf(input, 'count');
  return answerOf(proposeFor(parsed.metric, value, { n }, { samples: samples.slice(0, -1) }), n);
};

function withoutNulls(fields: Input): Input {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && value !== undefined),
  );
}

const passThrough: Adapter = (input) => {
  const parsed = parseMetric({ name: 'm', source, target: { type: 'PassThrough' }, ...stepLimits(input) });
  if ('refused' in parsed) return { error: parsed.refused };
  const value = numbersOf(input, 'metricValues').at(-1);
  if (value === undefined) return { result: null };
  const n = numberOf(input, 'count');
  return answerOf(proposeFor(parsed.metric, value, { n }), n);
};

const fixedValue: Adapter = (input) => {
  const parsed = parseMetric({ name: 'm', target: { type: 'Fixed', value: input['value'] } });
  if ('refused' in parsed) return { error: parsed.refused };
  const n = numberOf(input, 'count');
  return answerOf(proposeFor(parsed.metric, null, { n }), n);
};

/** A count of -1 stands for "dry run" there, which has nothing to cap. */
const capCount: Adapter = (input) => {
  const count = numberOf(input, 'count');
  if (count === -1) return { count, capped: false };
  const capped = clamp(count, numberOf(input, 'min'), numberOf(input, 'max'));
  return { count: capped, capped: capped !== count };
};

function voteFrom(input: unknown): Vote | null {
  if (!isInput(input)) return null;
  const direction = textOf(input, 'direction');
  return {
    direction: direction === 'up' || direction === 'down' ? direction : 'none',
    count: numberOf(input, 'count'),
  };
}

const preemption: Adapter = (input): Answer => {
  const a = voteFrom(input['a']);
  const b = voteFrom(input['b']);
  if (a === null || b === null) return { ...(a ?? b) };
  return { ...preempt(a, b) };
};

const groups: Adapter = (input) => {
  const given = Object.entries(objectOf(input, 'groups')).map(([name, votes]) => [
    name,
    Array.isArray(votes) ? votes.map(voteFrom) : [],
  ]);
  return { winner: chooseVote(Object.fromEntries(given)) };
};

const dryRun: Adapter = (input) => {
  const rules = policy({
    dryRun: true,
    metrics: [metric('m', { kind: 'fixed', value: numberOf(input, 'count') })],
  });
  const observations = { target: { ok: true, wanted: 1 } as const, instances: [], readings: {} };
  const { decision } = decide(rules, emptyState, observations, { wallMs: 0, monoMs: 0, run: 'record' });
  const isWritten = decision.action !== 'none';
  return { count: isWritten ? decision.to : -1, wouldBeCount: decision.wouldBe, direction: decision.action };
};

const cooldown: Adapter = (input) => ({
  remainingSeconds:
    cooldownRemaining(secondsOf(input, 'cooldownSeconds'), secondsOf(input, 'lastEventAgeSeconds')) / 1000,
});

export const nomad: Readonly<Record<string, Adapter>> = {
  target_value: targetValue,
  tv_direction: targetDirection,
  threshold,
  pass_through: passThrough,
  fixed_value: fixedValue,
  cap_count: capCount,
  preempt: preemption,
  group_winner: groups,
  dry_run: dryRun,
  cooldown_remaining: cooldown,
};

// One metric in words: `sessions: 620, target 100 each: 620 / 100 -> 7`.
import type { Metric } from './policy.ts';
import type { Measured, Proposal } from './proposals/proposal.ts';
import type { MetricRecord } from './read-metrics.ts';

type Sizes = { readonly n: number; readonly observed: number };

export function explainMetric(
  rule: Metric,
  { name, role, reading, proposal }: MetricRecord,
  sizes: Sizes,
): string {
  const partial = reading.ok && reading.partial !== undefined ? `; incomplete: ${reading.partial}` : '';
  const kind = role === 'decide' ? '' : ` (${role})`;
  return `${name}${kind}: ${describe(rule, proposal, sizes)}${partial}`;
}

function describe(rule: Metric, proposal: Proposal, sizes: Sizes): string {
  switch (proposal.outcome) {
    case 'invalid':
      return `no value (${proposal.code}: ${proposal.message})`;
    case 'abstain':
      return proposal.measured === null
        ? 'nothing to say now'
        : `${formula(rule, proposal.measured, sizes)}: not triggered, nothing to say`;
    case 'keep':
      return `${formula(rule, proposal.measured, sizes)}${absent(proposal.measured)}: ${keepCauses[proposal.cause]}`;
    case 'value':
      return `${formula(rule, proposal.measured, sizes)}${absent(proposal.measured)} -> ${proposal.floor === true ? 'at least ' : ''}${proposal.count}`;
  }
}

const keepCauses: Readonly<Record<Extract<Proposal, { outcome: 'keep' }>['cause'], string>> = {
  'within-tolerance': 'within the tolerance, keep',
  'would-turn-around': 'with the missing ones filled in it would turn around, keep',
  'not-triggered': 'not triggered, keep',
  'same-size': 'comes to the same size, keep',
  direction: 'may not move the size in this direction, keep',
  guard: 'triggered, not down',
};

function formula({ target }: Metric, measured: Measured, { n, observed }: Sizes): string {
  const value = number(measured.value);
  const ratio = number(measured.filledRatio ?? measured.ratio);
  const basis = number(measured.basis);
  switch (target.kind) {
    case 'utilization':
      return `${value} % of the request, target ${target.percent} %: ${ratio} x ${basis}`;
    case 'value':
      return `${value}, target ${number(target.value)}: ${ratio} x ${basis}`;
    case 'averageValue':
      return measured.average !== null && measured.average === measured.value
        ? `${value} each, target ${number(target.value)}: ${ratio} x ${basis}`
        : `${value}, target ${number(target.value)} each: ${value} / ${number(target.value)}, for ${observed} now`;
    case 'drainTime':
      return `${value} waiting, to be done within ${target.horizonMs / 1000}s`;
    case 'threshold':
      return `${value}, band ${number(target.lower)} to ${number(target.upper)}, ${target.within} of ${target.samples} samples`;
    case 'step':
      return `${value}, step of ${target.step} above ${number(target.above)} or below ${number(target.below)}`;
    case 'alert':
      return 'active alerts';
    case 'alertScore':
      return `score ${value}, band ${number(target.downBelow)} to ${number(target.upAbove)}`;
    case 'passThrough':
      return `${value}`;
    case 'fixed':
      return 'fixed';
    case 'schedule':
      return 'by schedule';
    case 'expression':
      return `${target.expression.text} = ${value}, size ${n}`;
  }
}

/** What was filled in. */
function absent({ missing, unready }: Measured): string {
  const parts = [
    ...(missing.length === 0 ? [] : [`${missing.length} without a sample`]),
    ...(unready.length === 0 ? [] : [`${unready.length} not ready`]),
  ];
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

function number(value: number | null): string {
  return value === null ? 'open' : String(Number(value.toPrecision(6)));
}

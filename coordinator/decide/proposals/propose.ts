// From one metric and its reading to its proposal, and what the metric remembers of it.
import type { FailedReading } from '../observation.ts';
import type { Metric } from '../policy.ts';
import type { MetricMemory } from '../state.ts';
import type { Usable } from '../usable-reading.ts';
import { proposeByAlerts } from './alert.ts';
import { proposeByScore } from './alert-score.ts';
import { proposeByExpression } from './by-expression.ts';
import { proposeByReading } from './by-reading.ts';
import { proposeBySchedule } from './by-schedule.ts';
import type { ProposeContext, Proposed } from './context.ts';
import { limitStep } from './limit-step.ts';
import { exactly, invalid, type Proposal } from './proposal.ts';

export function propose(
  metric: Metric,
  reading: Usable,
  memory: MetricMemory | undefined,
  context: ProposeContext,
): Proposed {
  const proposed = proposeByKind(metric, reading, memory, context);
  return { ...proposed, proposal: restrict(metric, proposed.proposal, context.n) };
}

/**
 * Within the metric's own limits: the direction it may take, and its largest step. A threshold that may only raise and is not
 * triggered has no opinion, so that it does not keep the others from lowering.
 */
function restrict(metric: Metric, proposal: Proposal, n: number): Proposal {
  if (proposal.outcome === 'keep' && proposal.cause === 'not-triggered' && metric.direction !== 'both') {
    return { outcome: 'abstain', measured: proposal.measured };
  }
  if (proposal.outcome !== 'value') return proposal;
  const { load, measured } = proposal;
  const count = limitStep(n, proposal.count, metric.maxScaleUp, metric.maxScaleDown);
  if ((count < n && metric.direction === 'up') || (count > n && metric.direction === 'down')) {
    return { outcome: 'keep', cause: 'direction', load, measured };
  }
  return count === proposal.count ? proposal : { ...proposal, count };
}

function proposeByKind(
  metric: Metric,
  reading: Usable,
  memory: MetricMemory | undefined,
  context: ProposeContext,
): Proposed {
  const { target } = metric;
  switch (target.kind) {
    case 'fixed':
      return { proposal: exactly(target.value), memory };
    case 'schedule':
      return { proposal: proposeBySchedule(target.schedules, context), memory };
    case 'expression':
      return { proposal: proposeByExpression(metric, target, context), memory };
    case 'alert': {
      const { proposal, bases } = proposeByAlerts(
        target,
        context.alerts,
        memory?.alerts ?? {},
        context.n,
        context.t,
      );
      return { proposal, memory: { ...memory, alerts: bases } };
    }
    case 'alertScore':
      return proposeByScore(target, memory, context);
    default:
      if (!reading.ok) return { proposal: withoutReading(reading), memory };
      return proposeByReading(metric, reading, memory, context);
  }
}

/** Too little traffic to judge by is no failure: there is nothing to say. */
function withoutReading(reading: FailedReading): Proposal {
  if (reading.code === 'too-few-requests') return { outcome: 'abstain', measured: null };
  return invalid(reading.code, reading.message);
}

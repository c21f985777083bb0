// Proposals of the kinds that read a source.
import type { PerInstanceReading, TotalReading } from '../observation.ts';
import type { Metric } from '../policy.ts';
import { saturate } from '../saturate.ts';
import type { MetricMemory } from '../state.ts';
import { proposeAverage } from './average.ts';
import {
  classRulesOf,
  type ProposeContext,
  type Proposed,
  type Read,
  scalarOf,
  toleranceOf,
} from './context.ts';
import { proposeDrain } from './drain-time.ts';
import { changedTo, exactly, invalid, measure, type Proposal, wrongShape } from './proposal.ts';
import { stepFor, stepWithin } from './step.ts';
import { proposeByThreshold } from './threshold.ts';
import { proposeByTotal, proposeByValue } from './total.ts';
import { proposeUtilization } from './utilization.ts';

export function proposeByReading(
  metric: Metric,
  reading: Read,
  memory: MetricMemory | undefined,
  context: ProposeContext,
): Proposed {
  const { target } = metric;
  const { n, observed, ready, instances, policy } = context;
  const tolerance = toleranceOf(metric, policy);
  switch (target.kind) {
    case 'utilization': {
      if (reading.shape !== 'perInstance')
        return { proposal: wrongShape('a value for each instance'), memory };
      const rules = classRulesOf(metric, policy);
      return {
        proposal: proposeUtilization({ n, percent: target.percent, reading, instances, rules, tolerance }),
        memory,
      };
    }
    case 'value':
      if (reading.shape !== 'total') return { proposal: wrongShape('one total'), memory };
      return {
        proposal: proposeByValue({
          n,
          value: reading.value,
          target: target.value,
          ready: instances.length === 0 ? null : ready,
          tolerance,
        }),
        memory,
      };
    case 'averageValue':
      return { proposal: proposeByAverageValue(metric, target, reading, context), memory };
    case 'drainTime':
      return proposeDrain(target, reading, memory, { observed, ready, tolerance, t: context.t });
    case 'threshold': {
      const value = scalarOf(reading, metric, context);
      if (value === undefined)
        return { proposal: invalid('no-samples', 'no ready instance has a fresh sample'), memory };
      const samples = [...(memory?.samples ?? []), value].slice(-target.samples);
      return { proposal: proposeByThreshold(target, samples, n), memory: { ...memory, samples } };
    }
    case 'step': {
      const value = scalarOf(reading, metric, context);
      if (value === undefined)
        return { proposal: invalid('no-samples', 'no ready instance has a fresh sample'), memory };
      const step = stepFor(value, target);
      if (step === 0) {
        return {
          proposal: { outcome: 'keep', cause: 'not-triggered', load: null, measured: measure(value) },
          memory,
        };
      }
      const bounds = { min: context.low, max: context.high };
      return { proposal: changedTo(n, stepWithin(n, step, bounds, 'drop'), value), memory };
    }
    case 'passThrough':
      if (reading.shape !== 'total') return { proposal: wrongShape('one total'), memory };
      return { proposal: exactly(saturate(reading.value)), memory };
    default:
      return { proposal: invalid('unknown', `the kind ${target.kind} takes no reading`), memory };
  }
}

function proposeByAverageValue(
  metric: Metric,
  target: Extract<Metric['target'], { kind: 'averageValue' }>,
  reading: TotalReading | PerInstanceReading,
  context: ProposeContext,
): Proposal {
  const { n, observed, instances, policy } = context;
  const tolerance = toleranceOf(metric, policy);
  if (reading.shape === 'total') {
    return proposeByTotal({ value: reading.value, targetPerInstance: target.value, observed, tolerance });
  }
  const rules = classRulesOf(metric, policy);
  return proposeAverage({
    n,
    target: target.value,
    average: target.average,
    reading,
    instances,
    rules,
    tolerance,
  });
}

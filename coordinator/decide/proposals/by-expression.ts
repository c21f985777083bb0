// A size computed from the values of other metrics.
import { evaluateExpression } from '../evaluate-expression.ts';
import type { Metric } from '../policy.ts';
import { isWithinTolerance } from '../tolerance.ts';
import { type ProposeContext, toleranceOf } from './context.ts';
import { type InvalidCode, invalid, measure, type Proposal } from './proposal.ts';

export function proposeByExpression(
  metric: Metric,
  target: Extract<Metric['target'], { kind: 'expression' }>,
  context: ProposeContext,
): Proposal {
  const { n, policy, lookup } = context;
  const result = evaluateExpression(target.expression.tree, lookup);
  if (!result.ok) return invalid(result.code, expressionFaults[result.code] ?? result.code);
  const measured = measure(result.exact);
  const load = target.tolerated ? result.exact : null;
  if (target.tolerated && n > 0 && isWithinTolerance(result.exact / n, toleranceOf(metric, policy))) {
    return { outcome: 'keep', cause: 'within-tolerance', load, measured };
  }
  return { outcome: 'value', count: result.count, load, measured };
}

const expressionFaults: Readonly<Partial<Record<InvalidCode, string>>> = {
  nan: 'the expression is not a number',
  infinite: 'the expression is infinite',
  'unknown-value': 'a value in the expression is not known',
};

// Evaluates a parsed expression to a count. A name without a value (its metric failed) makes whatever it touches unknown, except
// where `??` gives something to fall back on. NaN and infinite results are errors, never 0; a negative result is 0; halves round up.
import type { BinaryOperator, ExpressionTree } from './expression-tree.ts';
import { saturate } from './saturate.ts';

/** The value of a name, or undefined when it is not known now. */
export type Lookup = (name: string, field: string | null) => number | undefined;

export type ExpressionResult =
  | { readonly ok: true; readonly count: number; readonly exact: number }
  | { readonly ok: false; readonly code: 'nan' | 'infinite' | 'unknown-value' };

export function evaluateExpression(tree: ExpressionTree, lookup: Lookup): ExpressionResult {
  const exact = evaluate(tree, lookup);
  if (exact === undefined) return { ok: false, code: 'unknown-value' };
  if (Number.isNaN(exact)) return { ok: false, code: 'nan' };
  if (!Number.isFinite(exact)) return { ok: false, code: 'infinite' };
  return { ok: true, count: saturate(Math.round(exact)), exact };
}

function evaluate(tree: ExpressionTree, lookup: Lookup): number | undefined {
  switch (tree.node) {
    case 'number':
      return tree.value;
    case 'name':
      return lookup(tree.name, tree.field);
    case 'unary': {
      const operand = evaluate(tree.operand, lookup);
      if (operand === undefined) return undefined;
      return tree.operator === '-' ? -operand : Number(operand === 0);
    }
    case 'binary':
      return evaluateBinary(tree.operator, evaluate(tree.left, lookup), () => evaluate(tree.right, lookup));
    case 'choice': {
      const test = evaluate(tree.test, lookup);
      if (test === undefined) return undefined;
      return evaluate(test !== 0 ? tree.yes : tree.no, lookup);
    }
    case 'call': {
      const values: number[] = [];
      for (const parameter of tree.parameters) {
        const value = evaluate(parameter, lookup);
        if (value === undefined) return undefined;
        values.push(value);
      }
      return call(tree.name, values);
    }
  }
}

function evaluateBinary(
  operator: BinaryOperator,
  left: number | undefined,
  right: () => number | undefined,
): number | undefined {
  if (operator === '??') return left === undefined || Number.isNaN(left) ? right() : left;
  if (left === undefined) return undefined;
  if (operator === 'and' && left === 0) return 0;
  if (operator === 'or' && left !== 0) return 1;
  const value = right();
  if (value === undefined) return undefined;
  switch (operator) {
    case '+':
      return left + value;
    case '-':
      return left - value;
    case '*':
      return left * value;
    case '/':
      return left / value;
    case '%':
      return left % value;
    case '^':
      return left ** value;
    case '==':
      return Number(left === value);
    case '!=':
      return Number(left !== value);
    case '<':
      return Number(left < value);
    case '<=':
      return Number(left <= value);
    case '>':
      return Number(left > value);
    case '>=':
      return Number(left >= value);
    case 'and':
    case 'or':
      return Number(value !== 0);
  }
}

function call(name: string, values: readonly number[]): number {
  const [first = Number.NaN] = values;
  switch (name) {
    case 'min':
      return Math.min(...values);
    case 'max':
      return Math.max(...values);
    case 'abs':
      return Math.abs(first);
    case 'ceil':
      return Math.ceil(first);
    case 'floor':
      return Math.floor(first);
    case 'round':
      return Math.round(first);
    default:
      return Number.NaN;
  }
}

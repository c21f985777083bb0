// An arithmetic expression over named metrics, as a tree of plain JSON. Written by parse-expression, read by evaluate-expression.

export type BinaryOperator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '^'
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'and'
  | 'or'
  | '??';

/** Functions and how many arguments they take. */
export const functionArguments: Readonly<Record<string, { least: number; most: number }>> = {
  min: { least: 1, most: 64 },
  max: { least: 1, most: 64 },
  abs: { least: 1, most: 1 },
  ceil: { least: 1, most: 1 },
  floor: { least: 1, most: 1 },
  round: { least: 1, most: 1 },
};

export type ExpressionTree =
  | { readonly node: 'number'; readonly value: number }
  /** `field` is what follows a dot: `queue.value`. */
  | { readonly node: 'name'; readonly name: string; readonly field: string | null }
  | { readonly node: 'unary'; readonly operator: '-' | 'not'; readonly operand: ExpressionTree }
  | {
      readonly node: 'binary';
      readonly operator: BinaryOperator;
      readonly left: ExpressionTree;
      readonly right: ExpressionTree;
    }
  | {
      readonly node: 'choice';
      readonly test: ExpressionTree;
      readonly yes: ExpressionTree;
      readonly no: ExpressionTree;
    }
  | { readonly node: 'call'; readonly name: string; readonly parameters: readonly ExpressionTree[] };

export type Expression = { readonly text: string; readonly tree: ExpressionTree };

/** Every name that the expression reads, with its field. */
export function namesIn(tree: ExpressionTree): { name: string; field: string | null }[] {
  switch (tree.node) {
    case 'number':
      return [];
    case 'name':
      return [{ name: tree.name, field: tree.field }];
    case 'unary':
      return namesIn(tree.operand);
    case 'binary':
      return [...namesIn(tree.left), ...namesIn(tree.right)];
    case 'choice':
      return [...namesIn(tree.test), ...namesIn(tree.yes), ...namesIn(tree.no)];
    case 'call':
      return tree.parameters.flatMap(namesIn);
  }
}

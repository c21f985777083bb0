// Parses an expression by precedence climbing; nothing is ever evaluated as code.
//
//   loosest   a ? b : c
//             a ?? b             b when a is unknown (its metric failed)
//             or ||
//             and &&
//             == != < <= > >=    1 or 0
//             + -
//             * / %
//             - not !            before an operand
//   tightest  ^ **               to the right; then names, numbers, calls, ( )
//
// Names are letters, digits and _; any other name is written in double quotes: "queue-depth". `name.value` is a field of it.
import { type BinaryOperator, type ExpressionTree, functionArguments } from './expression-tree.ts';

export type ParsedExpression =
  | { readonly ok: true; readonly tree: ExpressionTree }
  /** `at` is the offset of the offending character. */
  | { readonly ok: false; readonly message: string; readonly at: number };

type Token = {
  readonly kind: 'number' | 'name' | 'quoted' | 'symbol' | 'end';
  readonly text: string;
  readonly at: number;
};

const tokenPattern =
  /\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_][A-Za-z0-9_]*)|"([^"]+)"|(\?\?|\*\*|==|!=|<=|>=|&&|\|\||[-+*/%^<>!?:(),.]))/y;

const levels: readonly Readonly<Record<string, BinaryOperator>>[] = [
  { '??': '??' },
  { or: 'or', '||': 'or' },
  { and: 'and', '&&': 'and' },
  { '==': '==', '!=': '!=', '<': '<', '<=': '<=', '>': '>', '>=': '>=' },
  { '+': '+', '-': '-' },
  { '*': '*', '/': '/', '%': '%' },
];

const words = new Set(['and', 'or', 'not']);
const deepest = 64;

class SyntaxFault extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

export function parseExpression(text: string): ParsedExpression {
  try {
    const parser = new Parser(tokenize(text));
    return { ok: true, tree: parser.whole() };
  } catch (fault) {
    if (fault instanceof SyntaxFault) return { ok: false, message: fault.message, at: fault.at };
    throw fault;
  }
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  while (text.slice(position).trim() !== '') {
    tokenPattern.lastIndex = position;
    const match = tokenPattern.exec(text);
    if (match === null) {
      const at = position + (/\S/.exec(text.slice(position))?.index ?? 0);
      throw new SyntaxFault(`unexpected ${JSON.stringify(text[at])}`, at);
    }
    const [whole, number, name, quoted, symbol] = match;
    const at = position + whole.length - whole.trimStart().length;
    if (number !== undefined) tokens.push({ kind: 'number', text: number, at });
    else if (name !== undefined) tokens.push({ kind: words.has(name) ? 'symbol' : 'name', text: name, at });
    else if (quoted !== undefined) tokens.push({ kind: 'quoted', text: quoted, at });
    else tokens.push({ kind: 'symbol', text: symbol ?? '', at });
    position += whole.length;
  }
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): ExpressionTree {
    const tree = this.#choice();
    const token = this.#peek();
    if (token.kind !== 'end') throw new SyntaxFault(`unexpected ${JSON.stringify(token.text)}`, token.at);
    return tree;
  }

  #choice(): ExpressionTree {
    this.#depth += 1;
    if (this.#depth > deepest) throw new SyntaxFault('nested too deeply', this.#peek().at);
    const test = this.#binary(0);
    let tree = test;
    if (this.#take('?')) {
      const yes = this.#choice();
      this.#expect(':');
      tree = { node: 'choice', test, yes, no: this.#choice() };
    }
    this.#depth -= 1;
    return tree;
  }

  #binary(level: number): ExpressionTree {
    const operators = levels[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const token = this.#peek();
      const operator = token.kind === 'symbol' ? operators[token.text] : undefined;
      if (operator === undefined) return left;
      this.#next += 1;
      left = { node: 'binary', operator, left, right: this.#binary(level + 1) };
    }
  }

  #unary(): ExpressionTree {
    const operators: ('-' | 'not')[] = [];
    for (;;) {
      if (this.#take('-')) operators.push('-');
      else if (this.#take('!') || this.#take('not')) operators.push('not');
      else if (!this.#take('+')) break;
      if (operators.length > deepest) throw new SyntaxFault('nested too deeply', this.#peek().at);
    }
    return operators.reduceRight<ExpressionTree>(
      (operand, operator) => ({ node: 'unary', operator, operand }),
      this.#power(),
    );
  }

  #power(): ExpressionTree {
    const left = this.#operand();
    if (!this.#take('^') && !this.#take('**')) return left;
    this.#depth += 1;
    if (this.#depth > deepest) throw new SyntaxFault('nested too deeply', this.#peek().at);
    const right = this.#unary();
    this.#depth -= 1;
    return { node: 'binary', operator: '^', left, right };
  }

  #operand(): ExpressionTree {
    const token = this.#peek();
    this.#next += 1;
    if (token.kind === 'number') return { node: 'number', value: Number(token.text) };
    if (token.kind === 'quoted') return this.#named(token);
    if (token.kind === 'name') return this.#take('(') ? this.#call(token) : this.#named(token);
    if (token.kind === 'symbol' && token.text === '(') {
      const tree = this.#choice();
      this.#expect(')');
      return tree;
    }
    const found = token.kind === 'end' ? 'the end' : JSON.stringify(token.text);
    throw new SyntaxFault(`expected a number, a name or "(", found ${found}`, token.at);
  }

  #named(token: Token): ExpressionTree {
    if (!this.#take('.')) return { node: 'name', name: token.text, field: null };
    const field = this.#peek();
    if (field.kind !== 'name')
      throw new SyntaxFault(`expected a name after ${JSON.stringify(`${token.text}.`)}`, field.at);
    this.#next += 1;
    return { node: 'name', name: token.text, field: field.text };
  }

  #call(token: Token): ExpressionTree {
    const limits = functionArguments[token.text];
    if (limits === undefined) {
      const known = Object.keys(functionArguments).join(', ');
      throw new SyntaxFault(
        `there is no function ${JSON.stringify(token.text)}: known are ${known}`,
        token.at,
      );
    }
    const parameters: ExpressionTree[] = [];
    if (!this.#take(')')) {
      do parameters.push(this.#choice());
      while (this.#take(','));
      this.#expect(')');
    }
    if (parameters.length < limits.least || parameters.length > limits.most) {
      const wanted = limits.least === limits.most ? `${limits.least}` : `${limits.least} to ${limits.most}`;
      throw new SyntaxFault(`${token.text} takes ${wanted} arguments, not ${parameters.length}`, token.at);
    }
    return { node: 'call', name: token.text, parameters };
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)] ?? { kind: 'end', text: '', at: 0 };
  }

  #take(symbol: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'symbol' || token.text !== symbol) return false;
    this.#next += 1;
    return true;
  }

  #expect(symbol: string): void {
    const token = this.#peek();
    if (!this.#take(symbol)) {
      const found = token.kind === 'end' ? 'the end' : JSON.stringify(token.text);
      throw new SyntaxFault(`expected ${JSON.stringify(symbol)}, found ${found}`, token.at);
    }
  }
}

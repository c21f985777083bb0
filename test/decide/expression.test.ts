// Expressions are parsed, never evaluated as code.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { evaluateExpression } from '../../coordinator/decide/evaluate-expression.ts';
import { namesIn } from '../../coordinator/decide/expression-tree.ts';
import { parseExpression } from '../../coordinator/decide/parse-expression.ts';
import { checked } from './seed.ts';

function compute(text: string, values: Record<string, number | undefined> = {}): number | string {
  const parsed = parseExpression(text);
  if (!parsed.ok) return `${parsed.at}: ${parsed.message}`;
  const result = evaluateExpression(
    parsed.tree,
    (name, field) => values[field === null ? name : `${name}.${field}`],
  );
  return result.ok ? result.exact : result.code;
}

test('precedence and associativity are those of arithmetic', () => {
  assert.equal(compute('2 + 3 * 4 - 6 / 3'), 12);
  assert.equal(compute('(2 + 3) * 4'), 20);
  assert.equal(compute('10 - 3 - 2'), 5);
  assert.equal(compute('2 ^ 3 ^ 2'), 512);
  assert.equal(compute('-2 ^ 2'), -4);
  assert.equal(compute('2 ** -1'), 0.5);
  assert.equal(compute('7 % 4 + .5 + 1e2'), 103.5);
});

test('comparisons, logic and choices give numbers', () => {
  assert.equal(compute('1 < 2 and not (3 <= 2) && !0'), 1);
  assert.equal(compute('0 or 0 || 2 > 1'), 1);
  assert.equal(compute('x > 5 ? 10 : x == 5 ? 7 : 3', { x: 5 }), 7);
});

test('names may be quoted and have fields; functions are a fixed few', () => {
  assert.equal(compute('max("queue-depth" / 10, cpu.value, 1)', { 'queue-depth': 45, 'cpu.value': 4 }), 4.5);
  assert.equal(compute('min(3, 1, 2) + abs(-2) + ceil(1.2) + floor(1.8) + round(2.5)'), 9);
});

test('what is unknown stays unknown, except where ?? stands in', () => {
  assert.equal(compute('x + 1'), 'unknown-value');
  assert.equal(compute('max(1, x)'), 'unknown-value');
  assert.equal(compute('x ?? y ?? 4', { y: Number.NaN }), 4);
  assert.equal(compute('0 and x'), 0);
});

test('NaN and infinity are errors, a negative count is 0, halves round up', () => {
  assert.equal(compute('0 / 0'), 'nan');
  assert.equal(compute('1 / 0'), 'infinite');
  const count = (text: string) => {
    const parsed = parseExpression(text);
    const result = parsed.ok ? evaluateExpression(parsed.tree, () => undefined) : undefined;
    return result?.ok === true ? result.count : undefined;
  };
  assert.deepEqual(['-3', '2.5', '2.49', '1e300'].map(count), [0, 3, 2, 2 ** 31 - 1]);
});

test('what is not an expression is refused at the right place', () => {
  assert.match(String(compute('1 +')), /^3: expected a number, a name or "\(", found the end/);
  assert.match(String(compute('(1')), /^2: expected "\)", found the end/);
  assert.match(String(compute('1 2')), /^2: unexpected "2"/);
  assert.match(String(compute('a = 1')), /^2: unexpected "="/);
  assert.match(String(compute('system(1)')), /^0: there is no function "system"/);
  assert.match(String(compute('round(1, 2)')), /round takes 1 arguments, not 2/);
  assert.match(String(compute('')), /found the end/);
  assert.match(String(compute(`${'('.repeat(5000)}1`)), /nested too deeply/);
  assert.match(String(compute(`${'-'.repeat(5000)}1`)), /nested too deeply/);
  assert.match(String(compute(`1${'^1'.repeat(5000)}`)), /nested too deeply/);
});

test('any text is either parsed or refused, and what is parsed evaluates without throwing', () => {
  const pieces = fc.array(
    fc.constantFrom(
      '1',
      '2.5',
      'x',
      '"a b"',
      '+',
      '-',
      '*',
      '/',
      '^',
      '(',
      ')',
      ',',
      '?',
      ':',
      '??',
      'and',
      'max(',
      ' ',
      '.',
      '==',
      'constructor',
      '__proto__',
    ),
    { maxLength: 14 },
  );
  checked(
    fc.property(
      fc.oneof(
        pieces.map((list) => list.join(' ')),
        fc.string(),
      ),
      (text) => {
        const parsed = parseExpression(text);
        if (!parsed.ok) {
          assert.ok(parsed.at >= 0 && parsed.at <= text.length);
          return;
        }
        namesIn(parsed.tree);
        evaluateExpression(parsed.tree, (name) => (name === 'x' ? 3 : undefined));
      },
    ),
    500,
  );
});

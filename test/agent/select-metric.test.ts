import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { selectMetric } from '../../agent/select-metric.ts';
import { isBerthError } from '../../shared/errors.ts';

const prometheus = `# HELP jobs_waiting Jobs.
# TYPE jobs_waiting gauge
jobs_waiting{queue="mail",host="a"} 3
jobs_waiting{queue="mail",host="b, \\"c\\""} 4.5 1700000000000
jobs_waiting{queue="print"} 10
jobs_waiting_total 99
up 1
latency_seconds NaN
limit +Inf
`;

test('a body without a selector is the number', () => {
  assert.equal(selectMetric(' 42.5\n', undefined), 42.5);
});

test('a dotted path into JSON', () => {
  const body = JSON.stringify({ queue: { length: 7 }, items: [{ count: '8' }] });
  assert.equal(selectMetric(body, 'queue.length'), 7);
  assert.equal(selectMetric(body, 'items.0.count'), 8);
});

test('a Prometheus name, with labels; samples that match add up', () => {
  assert.equal(selectMetric(prometheus, 'jobs_waiting{queue="mail"}'), 7.5);
  assert.equal(selectMetric(prometheus, 'jobs_waiting{host="a"}'), 3);
  assert.equal(selectMetric(prometheus, 'jobs_waiting'), 17.5);
  assert.equal(selectMetric(prometheus, 'up'), 1);
});

test('what is not there, or is not a finite number, is an error and never 0', () => {
  const cases: [string, string | undefined][] = [
    ['', undefined],
    ['soon', undefined],
    ['{"a":1}', 'b'],
    ['{"a":null}', 'a'],
    ['{"a":""}', 'a'],
    ['{"a":[]}', 'a'],
    ['{"a":1', 'a'],
    ['{}', '__proto__'],
    ['{}', 'constructor.length'],
    [prometheus, 'down'],
    [prometheus, 'up{x="y"}'],
    [prometheus, 'latency_seconds'],
    [prometheus, 'limit'],
    [prometheus, 'not a name'],
    ['<html>', 'up'],
  ];
  for (const [body, selector] of cases) {
    assert.throws(
      () => selectMetric(body, selector),
      (error) => isBerthError(error, 'source.failed'),
      `${body} ${selector}`,
    );
  }
});

test('any body and selector give a finite number or that error', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.json()),
      fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      (body, selector) => {
        try {
          assert.ok(Number.isFinite(selectMetric(body, selector)));
        } catch (error) {
          assert.ok(isBerthError(error, 'source.failed'), String(error));
        }
      },
    ),
    { numRuns: 3000 },
  );
});

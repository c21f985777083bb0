// Every record of the conformance cases is matched, or listed with its reason (run.ts prints the table by kind).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adapters } from './adapters.ts';
import { textOf } from './fields.ts';
import { priorities } from './priorities.ts';
import { casesPath, loadCases, loadDifferences, runCase } from './run-cases.ts';
import { formatTable } from './table.ts';

const cases = loadCases(casesPath());
const listed = loadDifferences();
const results = cases.map((record) => runCase(record, adapters, listed));

for (const kind of new Set(cases.map((record) => textOf(record, 'kind')))) {
  const ofKind = results.filter((result) => result.kind === kind);
  test(`${kind}: ${ofKind.length} records (priority ${priorities[kind] ?? 'unknown'})`, () => {
    const failed = ofKind.filter(({ outcome }) => outcome === 'failed' || outcome === 'skipped');
    assert.deepEqual(failed, []);
  });
}

test('every kind of record has an adapter and a priority', () => {
  assert.deepEqual(Object.keys(adapters).toSorted(), Object.keys(priorities).toSorted());
});

test('no difference is listed for a record of priority A, and each has a reason', () => {
  const kinds = new Map(cases.map((record) => [textOf(record, 'name'), textOf(record, 'kind')]));
  for (const name of Object.keys(listed)) {
    assert.notEqual(textOf(listed, name), '');
    assert.notEqual(priorities[kinds.get(name) ?? ''], 'A', `${name} must be matched`);
  }
});

test('the table counts every record once', () => {
  assert.match(
    formatTable(results),
    new RegExp(`\\ntotal +${results.length - results.filter((r) => r.outcome !== 'passed').length} `),
  );
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { compareOnTraces } from '../../coordinator/simulate/compare.ts';
import { formatMarkdown } from '../../coordinator/simulate/format-summary.ts';
import { traceNames } from '../../coordinator/simulate/trace.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/simulation.md'), 'utf8');
// A day of evaluations each second takes as long as everything else together.
const names = traceNames.filter((name) => name !== 'daily');

describe('the published comparison', () => {
  for (const what of ['sessions', 'requestRate'] as const) {
    it(`is what the simulator gives: ${what}`, () => {
      const [, , ...rows] = formatMarkdown(compareOnTraces(what, names)).trimEnd().split('\n');
      for (const row of rows)
        assert.ok(page.includes(`${row}\n`), `${row}\nnode coordinator/simulate/compare.ts ${what}`);
    });
  }
});

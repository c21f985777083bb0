import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { generated } from '../../coordinator/api/generate.ts';

describe('generated pages', async () => {
  for (const [path, text] of Object.entries(await generated())) {
    it(`${path} is what the code says`, () => {
      const committed = readFileSync(join(import.meta.dirname, '../..', path), 'utf8');
      assert.equal(
        committed,
        text,
        `${path} is out of date: run "node coordinator/api/generate.ts" and commit it`,
      );
    });
  }
});

// The reference page and the JSON schema are those that the schema gives.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generated } from '../../coordinator/policy/generate.ts';
import {
  asSchema,
  branchesOf,
  type JsonSchema,
  policyJsonSchema,
} from '../../coordinator/policy/json-schema.ts';

const root = join(import.meta.dirname, '../..');

for (const [path, text] of Object.entries(generated())) {
  test(`${path} is what node coordinator/policy/generate.ts writes`, () => {
    assert.equal(readFileSync(join(root, path), 'utf8'), text);
  });
}

test('every field has a description', () => {
  assert.deepEqual(undescribed(policyJsonSchema, 'policy'), []);
});

function undescribed(schema: JsonSchema, path: string): string[] {
  return branchesOf(schema).flatMap((branch) =>
    Object.entries(asSchema(branch['properties'])).flatMap(([key, property]) => {
      const inner = asSchema(property);
      const here = `${path}.${key}`;
      const isTold = typeof inner['description'] === 'string' || inner['const'] !== undefined;
      const below = inner['type'] === 'array' ? asSchema(inner['items']) : inner;
      return [...(isTold ? [] : [here]), ...undescribed(below, here)];
    }),
  );
}

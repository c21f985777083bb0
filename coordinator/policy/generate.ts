// Writes docs/policy.schema.json and docs/policies.md from the schema; a test compares them with what is committed.
//
//   node coordinator/policy/generate.ts
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatJson } from './format-json.ts';
import { policyFileJsonSchema, policyJsonSchema } from './json-schema.ts';
import { formatReferencePage } from './reference-page.ts';

/** What is generated, by path from the root of the project. */
export function generated(): Readonly<Record<string, string>> {
  return {
    'docs/policy.schema.json': `${formatJson(policyFileJsonSchema())}\n`,
    'docs/policies.md': `${formatReferencePage(policyJsonSchema).trimEnd()}\n`,
  };
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '../..');
  mkdirSync(join(root, 'docs'), { recursive: true });
  for (const [path, text] of Object.entries(generated())) writeFileSync(join(root, path), text);
}

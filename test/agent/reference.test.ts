import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { variables } from '../../agent/variables.ts';
import { referencePage, withReference } from '../../agent/write-reference.ts';

const page = readFileSync(referencePage, 'utf8');

test('docs/agent.md holds the tables that come from the code (node agent/write-reference.ts)', () => {
  assert.equal(page, withReference(page));
});

test('every variable is described once', () => {
  const names = variables.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
  for (const { name, description } of variables) assert.ok(description.length > 10, name);
});

test('docs/agent.md names every event that the agent logs', () => {
  const root = join(import.meta.dirname, '..', '..');
  const sources = globSync('agent/*.ts', { cwd: root }).map((file) => readFileSync(join(root, file), 'utf8'));
  const logged = new Set(
    sources.flatMap((text) =>
      [...text.matchAll(/(?:event: |#event\(\s*|announce\()'([a-z]+\.[a-z-]+)'/g)].map(
        (match) => match[1] ?? '',
      ),
    ),
  );
  assert.ok(logged.size > 20, `${logged.size} events found`);
  assert.deepEqual(
    [...logged].filter((event) => !page.includes(`\`${event}\``)),
    [],
  );
});

// Writes the tables of variables into docs/agent.md: `node agent/write-reference.ts`. A test compares them.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatReference } from './reference.ts';

export const referencePage = join(import.meta.dirname, '..', 'docs', 'agent.md');
const [begin, end] = ['<!-- variables: written by agent/write-reference.ts -->', '<!-- /variables -->'];

/** `page` with the tables as they should be. */
export function withReference(page: string): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the page has no ${begin} … ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${formatReference()}\n\n${page.slice(to)}`;
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(referencePage, withReference(readFileSync(referencePage, 'utf8')));
}

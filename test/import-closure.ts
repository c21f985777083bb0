// Which of our files a file imports, directly or through others: tells what a test file needs without running it.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The paths of `file` and of all that it imports by a relative path. */
export function importClosure(file: string): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (path: string) => {
    if (found.has(path)) return;
    found.add(path);
    for (const name of relativeImports(path)) visit(join(dirname(path), name));
  };
  visit(file);
  return found;
}

function relativeImports(path: string): string[] {
  if (!path.endsWith('.ts')) return [];
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/^(?:import|export|\}).* from '(\.{1,2}\/[^']+)';$/gm)].map(
    (match) => match[1] ?? '',
  );
}

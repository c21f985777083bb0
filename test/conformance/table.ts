// Passed, failed, skipped and listed records by kind.
import { priorities } from './priorities.ts';
import type { CaseResult } from './run-cases.ts';

const outcomes = ['passed', 'failed', 'skipped', 'listed'] as const;

export function formatTable(results: readonly CaseResult[]): string {
  const kinds = [...new Set(results.map(({ kind }) => kind))];
  const rows = kinds.map((kind) =>
    rowOf(
      kind,
      priorities[kind] ?? '?',
      results.filter((result) => result.kind === kind),
    ),
  );
  const total = rowOf('total', '', results);
  return [rowText(['kind', 'priority', ...outcomes]), ...rows.map(rowText), rowText(total)].join('\n');
}

function rowOf(kind: string, priority: string, results: readonly CaseResult[]): string[] {
  const counts = outcomes.map((outcome) => results.filter((result) => result.outcome === outcome).length);
  return [kind, priority, ...counts.map(String)];
}

function rowText([kind = '', priority = '', ...counts]: readonly string[]): string {
  return `${kind.padEnd(24)}${priority.padEnd(10)}${counts.map((count) => count.padStart(9)).join('')}`;
}

// npm run conformance: every record, a line for each that failed or was skipped, and a table by kind.
import { adapters } from './adapters.ts';
import { casesPath, loadCases, loadDifferences, runCase } from './run-cases.ts';
import { formatTable } from './table.ts';

const listed = loadDifferences();
const results = loadCases(casesPath()).map((record) => runCase(record, adapters, listed));
for (const { outcome, kind, name, detail } of results) {
  if (outcome !== 'passed') console.log(`${outcome}  ${kind}  ${name}: ${detail}`);
}
console.log(formatTable(results));
process.exitCode = results.some(({ outcome }) => outcome === 'failed') ? 1 : 0;

// `npm run bench [-- NAME…]`: every benchmark of this folder, one after the other, as one table. Each stands beside a floor
// from the same run, so that the ratio holds where the machine's speed does not. Timings are never asserted in `npm test`.

import { readdir } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { runProcess } from '../bench/processes.ts';
import type { Benchmark, Row } from './row.ts';

const root = join(import.meta.dirname, '..', '..');
const filters = process.argv.slice(2);
if (filters.includes('--help')) {
  process.stdout.write(
    'npm run bench [-- NAME…]   runs the benchmarks whose file name has NAME in it; all of them without one\n',
  );
  process.exit(0);
}

const isBenchmark = (value: unknown): value is Benchmark =>
  typeof value === 'object' &&
  value !== null &&
  'name' in value &&
  'run' in value &&
  typeof value.run === 'function';

const files = (await readdir(import.meta.dirname, { recursive: true }))
  .filter((file) => file.endsWith('.ts') && !['image-variants.ts', 'row.ts', 'run.ts'].includes(file))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort();
if (files.length === 0) {
  process.stderr.write(`bench: no benchmark's file name has ${filters.join(' or ')} in it\n`);
  process.exit(64);
}

process.stderr.write('bench: building\n');
await runProcess(process.execPath, [join(root, 'build.ts')], { deadlineMs: 120_000 });

const lines = ['| measured | value | floor | ratio | goal |', '| --- | --- | --- | --- | --- |'];
let failed = false;
for (const file of files) {
  const module: { benchmark?: unknown } = await import(join(import.meta.dirname, file));
  if (!isBenchmark(module.benchmark)) throw new Error(`${file} exports no benchmark`);
  const started = performance.now();
  process.stderr.write(`bench: ${module.benchmark.name} …\n`);
  try {
    lines.push(...(await module.benchmark.run()).map(format));
  } catch (error) {
    failed = true;
    process.stderr.write(
      `bench: ${module.benchmark.name} failed: ${error instanceof Error ? error.stack : String(error)}\n`,
    );
  }
  process.stderr.write(
    `bench: ${module.benchmark.name} took ${((performance.now() - started) / 1000).toFixed(0)} s\n`,
  );
}
process.stdout.write(
  `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'CPU'}, Node ${process.version}\n\n${lines.join('\n')}\n`,
);
process.exit(failed ? 1 : 0);

function format({ what, value, unit, floor, ratio, goal, met }: Row): string {
  const cells = [
    what,
    `${round(value)} ${unit}`,
    floor === undefined ? '' : `${round(floor.value)} ${unit} (${floor.what})`,
    ratio === undefined ? '' : `${round(ratio)} x`,
    goal === undefined ? '' : `${goal}: ${met === true ? 'met' : 'missed'}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Three significant digits, without an exponent. */
function round(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

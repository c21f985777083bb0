// `npm test [-- WORD…]`: prepares, runs the test files (those whose path holds one of the words), and ends with the
// counts. The exit code is 0 only when the build, the check and every test succeeded.
//
// Rows of files run beside each other, one file at a time each: the suites on the whole system (`faults/`, `quickstart`),
// those that scale containers (`acting/`) on the shared Docker Engine, what else uses Docker (also `acting/` on engines of
// its own), and all others. Most tests wait more than they compute.
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { spec } from 'node:test/reporters';
import { dockerEngine } from './bench/docker.ts';
import { haproxyVersions } from './bench/haproxy.ts';
import { haproxyRoot } from './bench/haproxy-root.ts';
import { ensureBaseImage } from './bench/images.ts';
import { importClosure } from './import-closure.ts';
import { type Outcome, testEvents } from './test-events.ts';

const root = join(import.meta.dirname, '..');
const words = process.argv.slice(2);
process.chdir(root);

const files = globSync('test/**/*.test.ts')
  .sort()
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
if (files.length === 0) {
  console.error(`no test file's path holds ${words.join(' or ')}`);
  process.exit(2);
}
const imports = new Map(files.map((file) => [file, importClosure(file)]));
const uses = (file: string, part: string) => imports.get(file)?.has(`test/bench/${part}.ts`) === true;
const withDocker = files.filter((file) => uses(file, 'docker'));
const others = files.filter((file) => !withDocker.includes(file));

const failedSteps: string[] = [];
await step('npm run build', () => command('npm', 'run', '--silent', 'build'));
if (words.length === 0) await step('npm run check', () => command('npm', 'run', '--silent', 'check'));
if (files.some((file) => uses(file, 'haproxy-root'))) {
  for (const version of haproxyVersions) await step(`HAProxy ${version}`, () => haproxyRoot(version));
}
if (withDocker.length > 0) {
  // While this process lives, the engine does.
  await step('Docker Engine and base image', async () => ensureBaseImage(await dockerEngine()));
}

const outcome: Outcome = { failed: 0, files: [] };
const isWhole = (file: string) => /^test\/(?:faults\/|quickstart|haproxy-configs)/.test(file);
const isActing = (file: string) =>
  file.startsWith('test/acting/') && imports.get(file)?.has('test/docker/daemon.ts') !== true;
const groups = [
  { name: 'others', files: others, concurrency: 1 },
  { name: 'Docker', files: withDocker.filter((file) => !isWhole(file) && !isActing(file)), concurrency: 1 },
  { name: 'acting', files: withDocker.filter(isActing), concurrency: 1 },
  { name: 'the whole system', files: withDocker.filter(isWhole), concurrency: 1 },
];
await pipeline(Readable.from(testEvents(groups, outcome)), new spec(), process.stdout, { end: false });

const seconds = (ms: number) => `${(ms / 1000).toFixed(1).padStart(6)} s`;
const msOf = (files: readonly string[]) =>
  outcome.files
    .filter(({ file }) => files.includes(relative(root, file)))
    .reduce((sum, { ms }) => sum + ms, 0);
console.log('\nrows:');
for (const { name, files: row } of groups) console.log(`  ${seconds(msOf(row))}  ${name}`);
console.log('\nslowest files:');
for (const { file, ms } of outcome.files.toSorted((a, b) => b.ms - a.ms).slice(0, 20)) {
  console.log(`  ${seconds(ms)}  ${relative(root, file)}`);
}
for (const name of failedSteps) console.log(`\n✖ failed: ${name}`);
// Not process.exit: what was written must still leave the process.
process.exitCode = outcome.failed > 0 || failedSteps.length > 0 ? 1 : 0;

async function step(name: string, action: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  console.log(`▶ ${name}`);
  const error = await action().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const took = `${((performance.now() - started) / 1000).toFixed(1)} s`;
  if (error === undefined) {
    console.log(`  done in ${took}`);
  } else {
    failedSteps.push(name);
    console.log(`  FAILED after ${took}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function command(name: string, ...args: readonly string[]): Promise<void> {
  const child = spawn(name, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  if (code !== 0) throw new Error(`exit code ${code}`);
}

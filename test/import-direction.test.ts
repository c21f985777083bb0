// Imports point one way: agent and coordinator to shared, never to each other, never back; the deciding core to nothing
// but itself and shared, without clocks, sockets or files.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';

const root = join(import.meta.dirname, '..');

interface Import {
  from: string;
  /** A path of ours, or a package's or Node's name. */
  to: string;
  isType: boolean;
}

/** What the source files below a folder import. */
function importsOf(folder: string): Import[] {
  const files = globSync(`${folder}/**/*.{ts,tsx}`, { cwd: root });
  assert.ok(files.length > 0, `there are files in ${folder}`);
  return files.flatMap((from) => {
    const text = readFileSync(join(root, from), 'utf8');
    const statements = text.matchAll(
      /^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)';|\bimport\('([^']+)'\)/gm,
    );
    return [...statements].map(([, type, named, dynamic]): Import => {
      const name = named ?? dynamic ?? '';
      const to = name.startsWith('.') ? relative(root, join(root, dirname(from), name)) : name;
      return { from, to, isType: type !== undefined };
    });
  });
}

const isOurs = (to: string): boolean => /^(?:shared|agent|coordinator|test|examples)\//.test(to);

function assertOnly(folder: string, allowed: readonly string[]): void {
  const wrong = importsOf(folder).filter(
    ({ to }) => isOurs(to) && !allowed.some((each) => to.startsWith(`${each}/`)),
  );
  assert.deepEqual(
    wrong.map(({ from, to }) => `${from} imports ${to}`),
    [],
  );
}

describe('imports', () => {
  test('shared knows neither program', () => assertOnly('shared', ['shared']));
  test('the agent knows shared only', () => assertOnly('agent', ['agent', 'shared']));
  test('the coordinator knows shared only', () => assertOnly('coordinator', ['coordinator', 'shared']));
  test('the deciding core knows itself and shared', () =>
    assertOnly('coordinator/decide', ['coordinator/decide', 'shared']));
  test('slots, sources and Docker know nothing of services, the API or the command line', () => {
    for (const folder of [
      'slots',
      'sources',
      'targets',
      'alerts',
      'notices',
      'audit',
      'agents',
      'policy',
      'observe',
      'store',
    ]) {
      const above = importsOf(`coordinator/${folder}`).filter(({ to }) =>
        /^coordinator\/(?:services|cli|serve)/.test(to),
      );
      assert.deepEqual(
        above.map(({ from, to }) => `${from} imports ${to}`),
        [],
      );
    }
  });
  test('the deciding core does nothing but compute', () => {
    const effects = importsOf('coordinator/decide').filter(
      ({ to, isType }) => to.startsWith('node:') && !isType,
    );
    assert.deepEqual(
      effects.map(({ from, to }) => `${from} imports ${to}`),
      [],
    );
    const impure = globSync('coordinator/decide/**/*.ts', { cwd: root }).filter((file) =>
      /\b(?:Date\.now\(|new Date\(\)|performance\.now\(|Math\.random\(|setTimeout\(|fetch\()/.test(
        readFileSync(join(root, file), 'utf8').replaceAll(/\/\/.*$/gm, ''),
      ),
    );
    assert.deepEqual(impure, []);
  });
  test('the agent uses the packages that it is allowed', () => {
    const packages = new Set(
      [...importsOf('agent'), ...importsOf('shared')]
        .filter(({ to, isType }) => !isOurs(to) && !to.startsWith('node:') && !isType)
        .map(({ to }) => to),
    );
    assert.deepEqual([...packages].sort(), ['ws', 'zod/mini']);
  });
});

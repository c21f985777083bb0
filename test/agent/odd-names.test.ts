// Variables whose names no shell could write: through the entrypoint, and through the shell that puts the limit of open
// files back, with real shells.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseEnviron } from '../../agent/odd-names.ts';
import { ensurePackages } from '../bench/packages.ts';
import { runProcess } from '../bench/processes.ts';
import { agentBundle } from './agent-bundle.ts';
import { leastEnvironment, parseLog } from './agent-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-odd-'));
before(() => ensurePackages('busybox-static', 'dash', 'perl', 'tini', 'util-linux'));
after(() => rmSync(folder, { recursive: true }));

const odd = { 'discovery.type': 'single-node', 'FOO-BAR': 'two\nlines = é*', '1ST': ' x ' };
/** Node would raise the limit of open files before it could show it, and a shell would drop the names. */
const app = [
  '/usr/bin/perl',
  '-MJSON::PP',
  '-e',
  'print "ENV", JSON::PP->new->latin1->encode({%ENV}), "\\n"; open F, "/proc/self/limits"; /open files +(\\d+)/ and print "LIMIT$1\\n" for <F>',
];

/** A folder for PATH, in which each name is that program. */
function path(name: string, programs: Record<string, string>): string {
  const bin = join(folder, name);
  mkdirSync(bin);
  for (const [program, file] of Object.entries(programs)) symlinkSync(file, join(bin, program));
  return bin;
}

/** agent/entrypoint.sh as in an image, with this machine's Node and the bundle. */
async function entrypoint(): Promise<string> {
  const file = join(folder, 'entrypoint');
  const text = readFileSync(join(import.meta.dirname, '..', '..', 'agent', 'entrypoint.sh'), 'utf8');
  const placed = text
    .replace('node=/berth/node', `node=${process.execPath}`)
    .replace('/berth/agent.cjs', await agentBundle());
  writeFileSync(file, placed);
  chmodSync(file, 0o755);
  return file;
}

function seen(output: string): NodeJS.ProcessEnv {
  const line = output.split('\n').find((each) => each.startsWith('ENV')) ?? 'ENV{}';
  return JSON.parse(line.slice(3));
}

function oddOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.keys(odd).map((name) => [name, env[name]]));
}

function lostNames(output: string): string | undefined {
  return parseLog(output).find(({ msg }) => msg.startsWith('the app does without '))?.msg;
}

const shells = { dash: ['/usr/bin/dash'], "BusyBox's ash": ['/usr/bin/busybox', 'sh'] } as const;
for (const [title, [shell, ...words]] of Object.entries(shells)) {
  test(`the entrypoint run by ${title} loses none of them, and the app sees nothing of how`, async () => {
    const output = await runProcess(shell, [...words, await entrypoint(), ...app], {
      env: { ...leastEnvironment, ...odd, PLAIN: 'kept', NODE_OPTIONS: '--no-warnings', BERTH_TOKEN: 'hush' },
      withErrors: true,
    });
    const env = seen(output);
    assert.deepEqual(oddOf(env), odd);
    assert.equal(env['PLAIN'], 'kept');
    assert.equal(env['NODE_OPTIONS'], '--no-warnings');
    assert.equal(env['BERTH_APP_ENVIRON'], undefined);
    assert.equal(env['BERTH_TOKEN'], undefined);
    assert.doesNotMatch(output, /is not a variable of the agent/);
  });

  test(`the entrypoint run by ${title} says which are lost when the environment is too long`, async () => {
    const long = { ...leastEnvironment, LONG: 'x'.repeat(70_000) };
    const run = async (env: NodeJS.ProcessEnv) =>
      runProcess(shell, [...words, await entrypoint(), ...app], { env, withErrors: true });
    const output = await run({ ...long, ...odd });
    const lost = lostNames(output);
    for (const name of Object.keys(odd)) assert.ok(lost?.includes(name), output);
    assert.equal(seen(output)['HAPROXY_SERVER'], leastEnvironment.HAPROXY_SERVER);
    assert.equal(lostNames(await run(long)), undefined);
  });
}

test('the entrypoint says which are lost when the image has no od', async () => {
  const env = { ...leastEnvironment, ...odd, PATH: path('no-od', { tr: '/usr/bin/tr' }) };
  const output = await runProcess('/usr/bin/dash', [await entrypoint(), ...app], { env, withErrors: true });
  assert.match(lostNames(output) ?? '', /discovery\.type/);
});

const helpers: Record<string, { programs: Record<string, string>; limit: string }> = {
  dash: { programs: { sh: '/usr/bin/dash', env: '/usr/bin/env' }, limit: '777' },
  "BusyBox's ash": { programs: { sh: '/usr/bin/busybox', env: '/usr/bin/busybox' }, limit: '777' },
  prlimit: { programs: { sh: '/usr/bin/dash', prlimit: '/usr/bin/prlimit' }, limit: '777' },
  'nothing that keeps them': { programs: { sh: '/usr/bin/dash' }, limit: 'raised' },
};
for (const [title, { programs, limit }] of Object.entries(helpers)) {
  test(`they arrive where the limit of open files is put back by ${title}`, async () => {
    // Under tini, which has the given limit, as under the init of a container.
    const words = ['--nofile=777:', '/usr/bin/tini', '-s', '--', process.execPath, await agentBundle(), '--'];
    const output = await runProcess('/usr/bin/prlimit', [...words, ...app], {
      env: { ...leastEnvironment, ...odd, PATH: path(title, programs) },
      withErrors: true,
    });
    assert.deepEqual(oddOf(seen(output)), odd);
    const given = /^LIMIT(\d+)$/m.exec(output)?.[1];
    if (limit === '777') assert.equal(given, limit);
    else assert.match(output, /without prlimit or env .* would drop .*discovery\.type/);
  });
}

test('what the entrypoint hands on is read right, whatever it holds', () => {
  const hex = (text: string) => Buffer.from(text).toString('hex');
  assert.deepEqual(parseEnviron(hex('A=1\0a.b=x=y\0=z\0noise\0')), { kind: 'whole', odd: { 'a.b': 'x=y' } });
  assert.deepEqual(parseEnviron('lost a.b c-d '), { kind: 'lost', names: ['a.b', 'c-d'] });
  for (const wrong of ['', 'abc', 'xy', 'lost']) assert.equal(parseEnviron(wrong), undefined);
});

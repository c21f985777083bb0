import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArguments } from '../../agent/arguments.ts';
import { formatAgentId, parseContainerId } from '../../agent/identity.ts';
import { planLaunch } from '../../agent/launch.ts';
import { planStop } from '../../agent/stop-budget.ts';
import { adviseOn, isAtTerminal, parseOpenFiles, type Surroundings } from '../../agent/surroundings.ts';

const inContainer: Surroundings = {
  pid: 7,
  parentPid: 1,
  initName: 'tini',
  atTerminal: false,
  openFiles: { own: 1024, parent: 1024 },
};
const app = { command: 'server', args: ['--port', '80'], env: {} };
const all = () => true;
const nothing = () => false;
const plain = { diesWithAgent: true, group: false };

test('under an init in a container the app is started as it is', () => {
  assert.deepEqual(adviseOn(inContainer), []);
  assert.deepEqual(planLaunch(app, plain, inContainer, all), {
    file: 'server',
    args: ['--port', '80'],
    group: false,
    underTini: false,
    advice: [],
  });
});

test('process 1 without an init, and a shell as process 1, are told with the mend', () => {
  assert.match(adviseOn({ ...inContainer, pid: 1, parentPid: 0 })[0] ?? '', /docker run --init/);
  assert.match(adviseOn({ ...inContainer, initName: 'sh' })[0] ?? '', /process 1 is sh.*JSON list/);
});

test('outside of a container the app dies with the agent, by setpriv or by tini', () => {
  const outside = { ...inContainer, parentPid: 4000 };
  const words = (has: (program: string) => boolean, group = false) => {
    const { file, args } = planLaunch(app, { ...plain, group }, outside, has);
    return [file, ...args];
  };
  assert.deepEqual(words(all), ['setpriv', '--pdeathsig', 'TERM', '--', 'server', '--port', '80']);
  assert.deepEqual(words((program) => program === 'tini').slice(0, 5), ['tini', '-s', '-p', 'SIGTERM', '--']);
  assert.deepEqual(words((program) => program === 'tini', true).slice(0, 3), ['tini', '-s', '-g']);
  assert.match(
    planLaunch(app, plain, outside, nothing).advice[0] ?? '',
    /needs the setpriv of util-linux, or tini/,
  );
  assert.deepEqual(planLaunch(app, { ...plain, diesWithAgent: false }, outside, all).file, 'server');
});

test('the limit of open files that Node raised is put back by a shell', () => {
  const raised = { ...inContainer, openFiles: { own: 1_048_576, parent: 1024 } };
  const { file, args } = planLaunch(app, plain, raised, all);
  assert.deepEqual(
    [file, ...args],
    ['sh', '-c', 'ulimit -Sn "$0" && exec "$@"', '1024', 'server', '--port', '80'],
  );
  assert.match(planLaunch(app, plain, raised, nothing).advice[0] ?? '', /1048576 files instead of 1024/);
});

test('variables that a shell would drop go around it', () => {
  const raised = { ...inContainer, openFiles: { own: 1_048_576, parent: 1024 } };
  const odd = { ...app, env: { 'a.b': '1', PLAIN: '2' } };
  const plan = (command: string, ...programs: string[]) =>
    planLaunch({ ...odd, command }, plain, raised, (program) => programs.includes(program));
  const env = plan('server', 'sh', 'env');
  assert.deepEqual([env.file, ...env.args].slice(3), [
    '1024',
    'env',
    '--',
    'a.b=1',
    'server',
    '--port',
    '80',
  ]);
  const limited = plan('server', 'sh', 'env', 'prlimit');
  assert.deepEqual([limited.file, ...limited.args].slice(0, 4), [
    'prlimit',
    '--nofile=1024:',
    '--',
    'server',
  ]);
  // env would take such a command for a variable.
  for (const without of [plan('server', 'sh'), plan('a=b', 'sh', 'env')]) {
    assert.deepEqual(without.args, ['--port', '80']);
    assert.match(without.advice[0] ?? '', /the shell that puts it back would drop a\.b/);
  }
});

test('a session of its own would take the terminal away', () => {
  const group = { ...plain, group: true };
  assert.equal(planLaunch(app, group, inContainer, all).group, true);
  const { group: given, advice } = planLaunch(app, group, { ...inContainer, atTerminal: true }, all);
  assert.equal(given, false);
  assert.match(advice[0] ?? '', /not followed at a terminal/);
});

test('/proc is read right', () => {
  assert.equal(
    parseOpenFiles('Max open files            777                  20000                files\n'),
    777,
  );
  assert.equal(parseOpenFiles(undefined), undefined);
  // pid (name) state parent group session terminal foreground …; the name may hold anything
  assert.equal(isAtTerminal('12 (a) b) S 1 50 50 34816 50 4194560'), true);
  assert.equal(isAtTerminal('12 (node) S 1 50 50 34816 60 4194560'), false);
  assert.equal(isAtTerminal('12 (node) S 1 50 50 0 -1 4194560'), false);
  assert.equal(isAtTerminal(undefined), false);
});

test("the container's id is found where Docker and Podman put it", () => {
  const id = 'a'.repeat(32) + '1'.repeat(32);
  const docker = `567 550 254:1 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 /dev/vda rw`;
  const podman = `1 2 0:9 /containers/overlay-containers/${id}/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw`;
  assert.equal(parseContainerId(docker, ''), id);
  assert.equal(parseContainerId(podman, ''), id);
  assert.equal(parseContainerId('', `4:memory:/docker/${id}`), id);
  assert.equal(parseContainerId('', `0::/system.slice/docker-${id}.scope`), id);
  assert.equal(parseContainerId('', '0::/'), undefined);
});

test('the id of an agent says host, container and port, in safe characters', () => {
  const id = 'abcdef012345'.padEnd(64, '0');
  assert.equal(formatAgentId('abcdef012345', id, 80), 'abcdef012345-80');
  assert.equal(formatAgentId('web', id, 80), 'web-abcdef012345-80');
  assert.equal(formatAgentId('my host;\n', undefined, 80), 'my_host__-80');
});

test('what one phase of a stop leaves over the next may use, and the total holds', () => {
  const settings = { drainTimeout: 5000, stopTimeout: 4000 };
  const budget = planStop(1000, settings);
  assert.equal(budget.drainUntil, 6000);
  assert.equal(budget.hookUntil, 8000);
  assert.equal(budget.killAt(1200), 5200, 'the full grace after a short drain');
  assert.equal(budget.killAt(6000), 10_000);
  assert.equal(budget.killAt(8000), 10_000, 'half of it after a long hook');
});

test('the command line', () => {
  assert.deepEqual(parseArguments([]), { kind: 'sidecar' });
  assert.deepEqual(parseArguments(['--', 'a', '--', '-b']), {
    kind: 'wrap',
    command: 'a',
    args: ['--', '-b'],
  });
  assert.deepEqual(parseArguments(['health']), { kind: 'health' });
  assert.equal(parseArguments(['health', 'x']).kind, 'wrong');
  assert.equal(parseArguments(['--', '']).kind, 'wrong');
});

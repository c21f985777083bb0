import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAlive, runProcess, startProcess } from './processes.ts';
import { until } from './wait.ts';

const processes = JSON.stringify(import.meta.resolve('./processes.ts'));
/** Starts `sleep` below a shell, prints both ids, and does not end by itself. */
const parent = `
  const { startProcess } = await import(${processes});
  const child = await startProcess('sh', ['-c', 'sleep 300 & echo $!; wait']);
  console.log(child.pid, (await child.waitForLine(/^\\d+$/)).trim());
`;

async function startParent() {
  const running = await startProcess(process.execPath, ['--input-type=module', '-e', parent]);
  const line = await running.waitForLine(/^\d+ \d+$/);
  const pids = line.split(' ').map(Number);
  assert.deepEqual(pids.map(isAlive), [true, true]);
  const areGone = () => until(() => !pids.some(isAlive), { what: 'the children are gone' });
  return { running, areGone };
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`children and their children end when the process is ended by ${signal}`, async () => {
    const { running, areGone } = await startParent();
    running.signal(signal);
    await running.exited;
    await areGone();
  });
}

test('killAll takes a process and its children', async () => {
  const shell = await startProcess('sh', ['-c', 'sleep 300 & echo $!; wait']);
  const sleeper = Number(await shell.waitForLine(/^\d+$/));
  assert.equal((await shell.killAll()).signal, 'SIGKILL');
  assert.equal(isAlive(sleeper), false);
});

test('stop goes on to SIGKILL when SIGTERM is not heeded', async () => {
  const deaf = await startProcess('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done']);
  await deaf.waitForLine(/ready/);
  assert.equal((await deaf.stop(50)).signal, 'SIGKILL');
});

test('waiting for a line fails at once when the process has ended, with what it wrote', async () => {
  const short = await startProcess('sh', ['-c', 'echo only this; exit 3']);
  await short.exited;
  await assert.rejects(short.waitForLine(/something else/), /ended \(3\) and wrote:\nonly this/);
});

test('a command that fails rejects with its output, and one that cannot start says so', async () => {
  await assert.rejects(runProcess('sh', ['-c', 'echo to stderr >&2; exit 4']), /exit code 4\nto stderr/);
  await assert.rejects(runProcess('no-such-command', []), /cannot start no-such-command/);
  assert.equal(await runProcess('sh', ['-c', 'echo out; echo err >&2']), 'out\n');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forwardedSignals, meaningOf, signalExitCode } from '../../agent/signals.ts';
import { until } from '../bench/wait.ts';
import { startAgent } from './agent-process.ts';

/** Says each signal that it receives Writes without pause with CHATTER=1. */
const listener = `
  const { constants } = require('node:os');
  for (const name of Object.keys(constants.signals)) {
    try { process.on(name, () => console.log('got ' + name)); } catch {}
  }
  if (process.env.CHATTER === '1') setInterval(() => console.log('x'.repeat(1000)), 1);
  setInterval(() => undefined, 1000);
  console.log('listening');
`;

for (const chatter of ['0', '1']) {
  test(`every signal that can be passed on arrives${chatter === '1' ? ' while the app is busy' : ''}`, async () => {
    await using agent = await startAgent(['--', process.execPath, '-e', listener], { CHATTER: chatter });
    await agent.waitForLine(/^listening/);
    await agent.event('app.started');
    for (const signal of forwardedSignals) {
      if (meaningOf(signal, false) === 'stop') continue;
      agent.signal(signal);
      await agent.waitForLine(new RegExp(`^got ${signal}`));
    }
    assert.doesNotMatch(agent.output(), /Debugger listening/);
    agent.signal('SIGTERM');
    await agent.waitForLine(/^got SIGTERM/);
    await agent.killAll();
  });
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
  test(`${signal} ends the app, and the exit code says so`, async () => {
    const agent = await startAgent(['--', 'sleep', '60']);
    await agent.event('app.started');
    agent.signal(signal);
    assert.equal((await agent.exited).code, signalExitCode(signal));
  });
}

test('a signal in the first moment is not lost', async () => {
  const agent = await startAgent(['--', 'sleep', '60']);
  // The handler is there before the first line of the log.
  await until(() => agent.output() !== '', { what: 'the agent has written something', everyMs: 1 });
  agent.signal('SIGTERM');
  assert.equal((await agent.exited).code, 143);
});

const family = `(trap 'echo grandchild got it; exit' USR2; echo ready; while :; do sleep 0.05; done) & trap ':' USR2; while :; do wait; done`;

test('with BERTH_SIGNAL_GROUP=1 signals reach the whole process group', async () => {
  await using agent = await startAgent(['--', 'sh', '-c', family], { BERTH_SIGNAL_GROUP: '1' });
  await agent.waitForLine(/^ready/);
  agent.signal('SIGUSR2');
  await agent.waitForLine(/^grandchild got it/);
  await agent.killAll();
});

test('without it they reach the app alone', async () => {
  await using agent = await startAgent([
    '--',
    'sh',
    '-c',
    `trap 'echo parent got it' USR2; ${family.replace("trap ':' USR2; ", '')}`,
  ]);
  await agent.waitForLine(/^ready/);
  agent.signal('SIGUSR2');
  await agent.waitForLine(/^parent got it/);
  assert.doesNotMatch(agent.output(), /grandchild got it/);
  await agent.killAll();
});

test('at a terminal the keys reach the app once, and the agent leaves them alone', () => {
  assert.equal(meaningOf('SIGINT', true), 'ignore');
  assert.equal(meaningOf('SIGTSTP', true), 'ignore');
  assert.equal(meaningOf('SIGTERM', true), 'stop');
  assert.equal(meaningOf('SIGUSR1', true), 'forward');
});

test('the app is asked to end when the agent is killed, outside of a container too', async () => {
  const agent = await startAgent([
    '--',
    'sh',
    '-c',
    'trap "echo asked to end; exit" TERM; echo "app is $$"; while :; do sleep 0.05; done',
  ]);
  await agent.waitForLine(/^app is/);
  process.kill(agent.pid, 'SIGKILL');
  await agent.waitForLine(/^asked to end/).catch((error: unknown) => {
    // The agent is gone by then: what the app wrote before that counts.
    if (!agent.output().includes('asked to end')) throw error;
  });
});

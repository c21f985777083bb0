import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { leastEnvironment, startAgent } from './agent-process.ts';

/** Runs `act` for each item, a few at a time. */
async function forEach<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}

test('each of the 256 exit codes of the app is the exit code of the agent', async () => {
  await forEach(
    Array.from({ length: 256 }, (_, code) => code),
    async (code) => {
      const agent = await startAgent(['--', 'sh', '-c', `exit ${code}`]);
      assert.equal((await agent.exited).code, code);
    },
  );
});

// Signals whose default action is to end the process, with or without a core file.
const deadly = [
  ...[
    'SIGHUP',
    'SIGINT',
    'SIGQUIT',
    'SIGILL',
    'SIGTRAP',
    'SIGABRT',
    'SIGBUS',
    'SIGFPE',
    'SIGKILL',
    'SIGUSR1',
  ],
  ...['SIGSEGV', 'SIGUSR2', 'SIGPIPE', 'SIGALRM', 'SIGTERM', 'SIGSTKFLT', 'SIGXCPU', 'SIGXFSZ', 'SIGVTALRM'],
  ...['SIGPROF', 'SIGIO', 'SIGPWR', 'SIGSYS'],
] as const;

test('an app that dies of signal n gives 128 + n', async () => {
  await forEach(deadly, async (signal) => {
    const agent = await startAgent(['--', 'sh', '-c', `ulimit -c 0; kill -${constants.signals[signal]} $$`]);
    assert.equal((await agent.exited).code, 128 + constants.signals[signal], signal);
  });
});

test('a command that is not there gives 127, and one line says so', async () => {
  const agent = await startAgent(['--', 'no-such-command-of-berth']);
  assert.equal((await agent.exited).code, 127);
  const line = agent.log().find(({ event }) => event === 'app.start-failed');
  assert.match(line?.msg ?? '', /"no-such-command-of-berth" was not found/);
});

test('a file that is not executable gives 126', async () => {
  const agent = await startAgent(['--', import.meta.filename]);
  assert.equal((await agent.exited).code, 126);
  const line = agent.log().find(({ event }) => event === 'app.start-failed');
  assert.match(line?.msg ?? '', /exit-codes.test.ts" is not executable \(does it have the x bit/);
});

test('a directory gives 126', async () => {
  const agent = await startAgent(['--', '/etc']);
  assert.equal((await agent.exited).code, 126);
});

test('bad configuration gives 64 and starts nothing', async () => {
  const agent = await startAgent(['--', 'sh', '-c', 'echo started'], {
    ...leastEnvironment,
    NODE_COUNT: 'x',
  });
  assert.equal((await agent.exited).code, 64);
  assert.doesNotMatch(agent.output(), /started/);
});

test('a command line that is not understood gives 64 and the mend', async () => {
  const cases: [string[], RegExp][] = [
    [['sh', '-c', 'true'], /put -- before the command: -- sh -c true/],
    [['helth'], /"helth" is neither health/],
    [['--'], /no command after --/],
  ];
  for (const [args, expected] of cases) {
    const agent = await startAgent(args);
    assert.equal((await agent.exited).code, 64);
    assert.match(agent.output(), expected);
  }
});

// dist/berth-agent, `npm run build -- sea`: the agent and its Node in one file.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { appFile } from '../bench/app.ts';
import { runProcess, startProcess } from '../bench/processes.ts';
import { freePort, until } from '../bench/wait.ts';
import { agentExecutable } from './agent-executable.ts';
import { leastEnvironment, parseLog, workerOf } from './agent-process.ts';
import { startCoordinator } from './coordinator.ts';
import { startLoadBalancer, untilSlot } from './fleet.ts';

let executable: string;
before(async () => {
  executable = await agentExecutable();
});

test('it says its version, whatever NODE_OPTIONS are set for the app', async () => {
  const manifest = await import('../../package.json', { with: { type: 'json' } });
  for (const NODE_OPTIONS of ['', '--no-such-option']) {
    const printed = await runProcess(executable, ['--version'], { env: { NODE_OPTIONS } });
    assert.equal(printed.trim(), manifest.default.version);
  }
});

test('it registers an app, beats, answers health, starts its second process again, and leaves in order', async () => {
  await using haproxy = await startLoadBalancer();
  await using coordinator = await startCoordinator();
  const port = await freePort();
  const env = {
    ...leastEnvironment,
    HAPROXY_SERVER: `127.0.0.1:${haproxy.cliPort}`,
    NODE_COUNT: '5',
    BERTH_APP_PORT: String(port),
    PORT: String(port),
    HOST: '127.0.0.1',
    BERTH_READY: '/healthz',
    BERTH_COORDINATOR: coordinator.url,
    BERTH_APP_METRICS: 'begun=/stats#begun',
    BERTH_ON_AGENT_EXIT: 'keep',
    EXIT_CODE: '7',
  };
  await using agent = await startProcess(executable, ['--', process.execPath, appFile], { env });
  await untilSlot(haproxy, port, 'ready');
  await coordinator.heartbeat('with a number', ({ metrics }) => metrics?.['begun'] !== undefined);
  assert.match(await runProcess(executable, ['health'], { env }), /^ready; /);
  process.kill(await workerOf(agent.pid), 'SIGKILL');
  await until(() => parseLog(agent.output()).some(({ event }) => event === 'slot.adopted'), {
    what: `the slot is found again; it wrote:\n${agent.output()}`,
  });
  agent.signal('SIGTERM');
  assert.equal((await agent.exited).code, 7, agent.output());
  assert.ok(parseLog(agent.output()).some(({ event }) => event === 'slot.released'));
});

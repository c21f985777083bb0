// BERTH_ON_AGENT_EXIT=stop outside of a container, with the programs of other images in PATH.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ensurePackages } from '../bench/packages.ts';
import { isAlive } from '../bench/processes.ts';
import { until } from '../bench/wait.ts';
import { type Agent, startAgent } from './agent-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-setpriv-'));
before(async () => {
  await ensurePackages('busybox-static', 'tini');
  for (const program of ['setpriv', 'sh', 'sleep']) symlinkSync('/usr/bin/busybox', join(folder, program));
});
after(() => rmSync(folder, { recursive: true }));

const stubborn = 'trap "" TERM; echo "app is $$"; while :; do sleep 0.1; done';

async function startStubborn(env: Record<string, string> = {}): Promise<{ agent: Agent; app: number }> {
  const times = { BERTH_DRAIN_TIMEOUT: '0s', BERTH_STOP_TIMEOUT: '200ms' };
  const agent = await startAgent(['--', 'sh', '-c', stubborn], { PATH: folder, ...times, ...env });
  const line = await agent.waitForLine(/^app is/);
  return { agent, app: Number(line.split(' ')[2]) };
}

test("BusyBox's setpriv knows no death signal: the app starts without it, and the agent says so", async () => {
  const { agent, app } = await startStubborn();
  assert.match((await agent.event('surroundings.doubted')).msg, /needs the setpriv of util-linux, or tini/);
  agent.signal('SIGTERM');
  assert.equal((await agent.exited).code, 137);
  assert.ok(!isAlive(app));
});

for (const group of ['0', '1']) {
  test(`under tini an app that ends by SIGKILL only does not stay behind, BERTH_SIGNAL_GROUP=${group}`, async () => {
    symlinkSync('/usr/bin/tini', join(folder, 'tini'));
    const { agent, app } = await startStubborn({ BERTH_SIGNAL_GROUP: group });
    agent.signal('SIGTERM');
    assert.equal((await agent.exited).code, 137, agent.output());
    await agent.event('app.killed');
    await until(() => !isAlive(app), { what: 'the app is gone' });
    rmSync(join(folder, 'tini'));
  });
}

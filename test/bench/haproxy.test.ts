import assert from 'node:assert/strict';
import { test } from 'node:test';
import { haproxyVersions, startHaproxy, templateConfig } from './haproxy.ts';
import { isAlive } from './processes.ts';

for (const version of haproxyVersions) {
  test(`HAProxy ${version} starts from the template, keeps its ports over a kill, and is gone after stop`, async () => {
    await using haproxy = await startHaproxy({ version, config: { slots: 5 } });
    const found = /^Version: (\d+\.\d+)/m.exec(await haproxy.cli('show info'))?.[1];
    if (version === '3.2') assert.ok(Number(found) >= 3.2, found);
    else assert.equal(found, version);
    const state = await haproxy.cli('show servers state app');
    assert.equal(state.match(/ node\d+ 127\.0\.0\.1 /g)?.length, 5, state);
    assert.equal((await fetch(haproxy.url())).status, 503);

    const { pid, cliPort } = haproxy;
    assert.equal((await haproxy.kill()).signal, 'SIGKILL');
    assert.equal(isAlive(pid), false);
    await haproxy.start();
    assert.notEqual(haproxy.pid, pid);
    assert.equal(haproxy.cliPort, cliPort);
    assert.equal((await fetch(haproxy.url())).status, 503);
    const last = haproxy.pid;
    await haproxy.stop();
    assert.equal(isAlive(last), false);
  });

  test(`HAProxy ${version} reloads: a new worker answers, with the new configuration`, async () => {
    await using haproxy = await startHaproxy({ version, masterWorker: true, config: { slots: 3 } });
    const master = haproxy.pid;
    const before = await haproxy.cli('show info');
    await haproxy.configure(templateConfig({ slots: 4 }));
    await haproxy.reload();
    assert.match(await haproxy.cli('show servers state app'), / node4 /);
    const after = await haproxy.cli('show info');
    assert.notEqual(/^Pid: \d+/m.exec(after)?.[0], /^Pid: \d+/m.exec(before)?.[0]);
    assert.match(after, /^Stopping: 0$/m);
    assert.equal(haproxy.pid, master);
    assert.equal((await fetch(haproxy.url())).status, 503);
  });
}

test('a configuration that HAProxy refuses fails at once, with what HAProxy says', async () => {
  await assert.rejects(startHaproxy({ config: () => 'nonsense\n' }), /unknown keyword 'nonsense'/);
});

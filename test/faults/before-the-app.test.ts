// When an app starts, no slot of HAProxy sends requests to its address: whoever had the address before is gone.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { startHaproxy } from '../bench/haproxy.ts';
import { startProcess } from '../bench/processes.ts';
import { freePort } from '../bench/wait.ts';
import { copyPrograms } from './programs.ts';
import { parseRows, readRows } from './slot-rows.ts';

/** An app that is quick: it prints what HAProxy's slots are a few milliseconds after its start, and ends. */
const look = `use IO::Socket::UNIX;
my $cli = IO::Socket::UNIX->new(Peer => $ENV{LOOK_AT}) or die "no HAProxy: $!";
print $cli "show servers state\\n";
print while <$cli>;`;

for (const { title, backend, server } of [
  { title: 'of another service', backend: 'blog', server: '127.0.0.1' },
  { title: 'of its own service', backend: 'shop', server: 'localhost' },
]) {
  it(`a slot ${title} with the address of a new container is out of traffic before the app starts, and given back when it ends at once`, async () => {
    await using haproxy = await startHaproxy({
      config: { slots: 3, backends: [{ name: 'shop' }, { name: 'blog' }] },
    });
    const folder = await mkdtemp(join(tmpdir(), 'berth-before-'));
    try {
      await copyPrograms(folder);
      const port = await freePort();
      await haproxy.cli(`set server ${backend}/node2 addr 127.0.0.1 port ${port}`);
      await haproxy.cli(`set server ${backend}/node2 state ready`);
      const env = {
        HAPROXY_SERVER: `${server}:${haproxy.cliPort},127.0.0.1:1,no-such-host.invalid`,
        HAPROXY_BACKEND: 'shop',
        NODE_COUNT: '3',
        BERTH_APP_PORT: String(port),
        BERTH_STATE_DIR: folder,
        LOOK_AT: haproxy.socket,
      };
      const agent = await startProcess(
        process.execPath,
        [join(folder, 'agent.cjs'), '--', 'perl', '-e', look],
        { env },
      );
      await agent.exited;
      const seen = parseRows(agent.stdout()).slots.find((slot) => slot.at === `127.0.0.1:${port}`);
      assert.ok(
        seen === undefined || seen.state === 'maint',
        `${seen?.state} is what the app saw; the agent wrote:\n${agent.output()}`,
      );
      const { slots } = await readRows(haproxy);
      const left = slots.filter((slot) => slot.at === `127.0.0.1:${port}`);
      assert.deepEqual(left, [], agent.output());
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

// The lock row, when the reply that gives it back is lost.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commands } from '../../shared/haproxy/commands.ts';
import { withLock } from '../../shared/haproxy/lock.ts';
import { createRuntimeApi, type RuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { lockFor } from '../../shared/haproxy/slots.ts';
import { haproxyVersions, startHaproxy } from '../bench/haproxy.ts';
import { endpointOf } from '../slots/fleet.ts';

for (const version of haproxyVersions)
  test(`HAProxy ${version}: a lock that was given back, unheard, is not taken from the one who has it next`, async () => {
    await using haproxy = await startHaproxy({ version, config: { slots: 2 } });
    const api = createRuntimeApi(endpointOf(haproxy));
    const slot = { backend: 'app', name: 'node1' };
    const lock = lockFor(slot, false);
    const next = commands.addLock(lock);
    let isLost = false;
    /** HAProxy does as it is told; then the next one takes the lock; then the reply is lost. */
    const losing: RuntimeApi = {
      transact: async (batch, signal) => {
        const answer = await api.transact(batch, signal);
        if (isLost || !batch.includes(commands.deleteLock(lock))) return answer;
        isLost = true;
        await api.transact([next]);
        throw new Error('the reply is lost');
      },
    };
    const change = withLock(
      losing,
      slot,
      { side: false },
      () => performance.now(),
      ({ finish }) => finish([commands.setState(slot, 'maint')]),
    );
    await assert.rejects(change, /the reply is lost/);
    assert.match(await haproxy.cli('show servers state app'), new RegExp(` ${lock.name} `));
  });

// Dynamic mode without HAPROXY_BACKEND, and with one that takes no servers.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startHaproxy } from '../bench/haproxy.ts';
import { until } from '../bench/wait.ts';
import { Fleet, Instance } from '../slots/fleet.ts';

const parameters = 'check inter 150ms';

describe('which backend', () => {
  const refusal = async (backends: { name: string; slots: number; balance?: string }[], backend?: string) => {
    await using fleet = new Fleet([await startHaproxy({ config: { backends } })], 0, parameters);
    const instance = await Instance.start(fleet, '127.0.0.10', { backend });
    const report = () => instance.registrations[0]?.report();
    await until(() => report()?.error ?? report()?.slot, { what: 'it has a server, or says why not' });
    return report()?.error ?? `in ${report()?.backend}`;
  };

  test('the only one that takes servers is found; of several the names are listed', async () => {
    const hashed = { name: 'hashed', slots: 0, balance: 'source' };
    const full = { name: 'full', slots: 2 };
    assert.equal(await refusal([full, hashed, { name: 'open', slots: 0 }]), 'in open');
    assert.match(
      await refusal([
        { name: 'one', slots: 0 },
        { name: 'two', slots: 0, balance: 'random(2)' },
      ]),
      /several backends can take servers: one, two .*HAPROXY_BACKEND/,
    );
    assert.match(await refusal([hashed, full]), /no backend .*balance roundrobin/);
  });

  test('a hash-balanced one and one that is not there are named with their mend', async () => {
    const hashed = { name: 'hashed', slots: 0, balance: 'source' };
    assert.match(await refusal([hashed], 'hashed'), /hashed is balanced by a hash.*roundrobin/);
    assert.match(await refusal([hashed], 'nowhere'), /no backend.*HAPROXY_BACKEND/);
  });
});

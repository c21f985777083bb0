// 100 claimants at once on the 100 slots of a real HAProxy, 50 times on each version, each claimant with connections of
// its own; then a claimant too many.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../shared/clock.ts';
import { isBerthError } from '../../shared/errors.ts';
import { claimSlot } from '../../shared/haproxy/claim.ts';
import { commands } from '../../shared/haproxy/commands.ts';
import { releaseSlot } from '../../shared/haproxy/release.ts';
import { createRuntimeApi, type RuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { parseServersState, type ServerRow } from '../../shared/haproxy/servers-state.ts';
import type { SlotContext } from '../../shared/haproxy/slot-write.ts';
import { freeAddress } from '../../shared/haproxy/slots.ts';
import { type Haproxy, haproxyVersions, startHaproxy, templateConfig } from '../bench/haproxy.ts';
import type { TemplateOptions } from '../bench/haproxy-config.ts';

const claimants = 100;
const races = 50;

const config: TemplateOptions = {
  slots: claimants,
  backends: [{ name: 'app' }, { name: 'hashed', prefix: 'h', balance: 'source', slots: 20 }],
};

const appOf = (index: number) => ({ address: `10.20.0.${index + 1}`, port: 8080 });

async function readRows(api: RuntimeApi, backend: string): Promise<ServerRow[]> {
  const { replies } = await api.transact([commands.showServersState(backend)]);
  assert.ok(replies[0]);
  return parseServersState(replies[0]);
}

for (const version of haproxyVersions) {
  describe(`HAProxy ${version}`, () => {
    let haproxy: Haproxy;
    let api: RuntimeApi;
    const context = (): SlotContext => ({
      api,
      place: { side: false },
      clock: systemClock,
      random: Math.random,
    });
    const claim = (backend: string, prefix: string, count: number, index: number) =>
      claimSlot(context(), { backend, prefix, count }, appOf(index), {
        id: `agent-${index}`,
        preferred: undefined,
        state: 'ready',
      });

    before(async () => {
      haproxy = await startHaproxy({ version, config });
      // A transaction of a hundred at once may wait for a turn on a busy machine.
      api = createRuntimeApi({ name: 'bench', host: '', port: 0, path: haproxy.socket }, 10_000);
    });
    after(() => haproxy[Symbol.asyncDispose]());

    test(`${races} races of ${claimants}: each has a slot of its own, no lock row is left`, async () => {
      for (let race = 0; race < races; race += 1) {
        const claimed = await Promise.all(
          Array.from({ length: claimants }, (_, index) => claim('app', 'node', claimants, index)),
        );
        const rows = await readRows(api, 'app');
        assert.equal(rows.length, claimants, `race ${race}: lock rows are left`);
        for (const [index, { slot }] of claimed.entries()) {
          const row = rows.find(({ name }) => name === slot.name);
          assert.equal(row?.address, appOf(index).address, `race ${race}: ${slot.name} is another's`);
          assert.equal(row?.adminState, 4, `race ${race}: ${slot.name} is not ready`);
        }
        if (race === races - 1) break;
        const slots = rows.map(({ backend, name }) => ({ backend, name }));
        await api.transact([
          ...slots.map((slot) => commands.setState(slot, 'maint')),
          ...slots.map((slot) => commands.setAddress(slot, freeAddress.address, freeAddress.port)),
        ]);
        const freed = (row: ServerRow) => row.address === freeAddress.address;
        const deadline = Date.now() + 5000;
        while (!(await readRows(api, 'app')).every(freed))
          assert.ok(Date.now() < deadline, 'slots are freed');
      }
    });

    test('the one too many is refused by name, and gets the slot that is freed next', async () => {
      await assert.rejects(claim('app', 'node', claimants, 150), (error) => {
        assert.ok(isBerthError(error, 'slot.none-free'));
        assert.match(error.message, /all 100 are held/);
        return true;
      });
      const rows = await readRows(api, 'app');
      const victim = rows[41];
      assert.ok(victim);
      assert.ok(await releaseSlot(context(), victim, { address: victim.address, port: victim.port }));
      const { slot } = await claim('app', 'node', claimants, 150);
      assert.equal(slot.name, victim.name);
    });

    test('a backend with a hash algorithm is locked in the side backend', async () => {
      await assert.rejects(
        claim('hashed', 'h', 20, 0),
        (error) => isBerthError(error, 'slot.no-lock') && /berth-locks/.test(String(error.hint)),
      );
      await haproxy.configure(templateConfig({ ...config, lockBackend: true }));
      await haproxy.restart();
      const claimed = await Promise.all(
        Array.from({ length: 20 }, (_, index) => claim('hashed', 'h', 20, index)),
      );
      assert.equal(new Set(claimed.map(({ slot }) => slot.name)).size, 20);
      assert.equal((await readRows(api, 'berth-locks')).length, 0);
    });
  });
}

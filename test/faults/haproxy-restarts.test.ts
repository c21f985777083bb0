// HAProxy itself dies, restarts and reloads, under load: every slot is back, with the coordinator and without it.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { haproxyVersions } from '../bench/haproxy.ts';
import { until } from '../bench/wait.ts';
import type { Instance } from './instance.ts';
import { Stage } from './stage.ts';
import { flowing, underLoad } from './under-load.ts';

/** Agents alone look each 1 to 2 s. */
const withinMs = { attended: 3000, alone: 6000 };
/** While nothing listens, or no slot is ready yet, requests fail, 60 a second: for no longer than this. */
const failuresOf = (restarts: number, bound: number) => 60 * (restarts + bound / 1000);

for (const version of haproxyVersions) {
  const isMain = version === '3.2';
  describe(`HAProxy ${version}`, () => {
    let stage: Stage;
    let first: Instance;
    before(async () => {
      stage = await Stage.set({ version, masterWorker: isMain, stateFile: isMain });
      [first = assert.fail()] = await stage.instances(3);
    });
    after(() => stage[Symbol.asyncDispose]());

    const everywhere = (how: string, bound: number) => {
      it(`kill -9 and start: all slots are back, ${how}`, async (t) => {
        await underLoad(t, stage, { mayFail: failuresOf(1, bound), withinMs: bound }, async () => {
          await stage.haproxy.kill('SIGKILL');
          await stage.haproxy.start();
        });
      });
      if (!isMain) return;
      it(`restart: all slots are back, ${how}`, async (t) => {
        await underLoad(t, stage, { mayFail: failuresOf(1, bound), withinMs: bound }, () =>
          stage.haproxy.restart(),
        );
      });
      it(`ten restarts in a row: all slots are back, ${how}`, async (t) => {
        await underLoad(t, stage, { mayFail: failuresOf(10, bound), withinMs: bound }, async () => {
          for (let count = 0; count < 10; count += 1) await stage.haproxy.restart();
        });
      });
      it(`reload without a state file: all slots are back, ${how}`, async (t) => {
        await underLoad(t, stage, { mayFail: failuresOf(1, bound), withinMs: bound }, () =>
          stage.haproxy.reload(),
        );
      });
      it(`reload with a fresh state file fails no request, ${how}`, async (t) => {
        await underLoad(t, stage, { mayFail: 0, withinMs: bound }, async (load) => {
          await saveState(stage);
          await stage.haproxy.reload();
          await flowing(load, 60);
        });
        await writeFile(stage.stateFile, '');
      });
    };

    everywhere('with the coordinator', withinMs.attended);

    it('a restart is in the audit, with each slot that was put back', async () => {
      const rows = await stage.coordinator.audit(0, { actor: 'coordinator' });
      const restarted = rows.filter(({ event }) => event === 'haproxy.restarted');
      assert.ok(restarted.length >= 1, 'haproxy.restarted');
      const reassigned = rows.filter(({ event, reason }) => event === 'slot.reassigned' && reason !== '');
      assert.ok(reassigned.length >= 3, `${reassigned.length} rows slot.reassigned`);
    });

    if (isMain) {
      it('a state file of before an instance left does not bring it back', async (t) => {
        await saveState(stage);
        await underLoad(
          t,
          stage,
          { mayFail: failuresOf(1, withinMs.attended), deadStayDown: false },
          async () => {
            await first.stop();
            await stage.haproxy.kill('SIGKILL');
            await stage.haproxy.start();
          },
        );
        await writeFile(stage.stateFile, '');
        await first.start();
        await stage.whole();
      });
    }

    describe('the coordinator is away', () => {
      before(() => stage.coordinator.kill());
      everywhere('without a coordinator', withinMs.alone);
    });
  });
}

/** What an operator, or the unit file, does before a reload (examples/haproxy/README.md). */
async function saveState(stage: Stage): Promise<void> {
  const state = await until(() => stage.haproxy.cli('show servers state'), {
    what: 'HAProxy tells its state',
  });
  await writeFile(stage.stateFile, `${state}\n`);
}

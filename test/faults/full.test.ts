// More instances than slots.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Instance } from './instance.ts';
import { Stage } from './stage.ts';
import { underLoad } from './under-load.ts';

for (const coordinator of [true, false]) {
  describe(coordinator ? 'full, with the coordinator' : 'full, without a coordinator', () => {
    let stage: Stage;
    let apps: Instance[];
    before(async () => {
      stage = await Stage.set({ coordinator, slots: 3 });
      apps = await stage.instances(3);
    });
    after(() => stage[Symbol.asyncDispose]());

    it('the fourth of three runs on, says that no slot is free, and takes the one that is freed', async (t) => {
      const [first = assert.fail()] = apps;
      const fourth = await stage.instance('app-4');
      await fourth.event('registration.failed');
      const said = (await fourth.log()).filter(({ event }) => event === 'registration.failed');
      assert.match(said.map(({ msg }) => msg).join('\n'), /no free slot/);
      await stage.whole({ without: [fourth] });
      assert.equal((await fourth.ask('/')).status, 200, 'its app runs');
      await underLoad(t, stage, { mayFail: 0, deadStayDown: false }, () => first.stop());
    });
  });
}

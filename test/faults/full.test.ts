// More instances than slots.
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Instance } from './instance.ts';
import { Stage } from './stage.ts';
import { underLoad } from './under-load.ts';

describe('the fourth of three', () => {
  let stage: Stage;
  let apps: Instance[];
  before(async () => {
    stage = await Stage.set({ slots: 3 });
    apps = await stage.instances(3);
  });
  after(() => stage[Symbol.asyncDispose]());

  const title = 'runs on, says that no slot is free, and takes the one that is freed';
  it(`${title}, with the coordinator`, (t) => fourth(t, 'late-1'));
  it(`${title}, without a coordinator`, async (t) => {
    await stage.coordinator.kill();
    await fourth(t, 'late-2');
  });

  async function fourth(t: TestContext, name: string): Promise<void> {
    const [first = assert.fail(), ...others] = apps;
    const last = await stage.instance(name);
    await last.event('registration.failed');
    const said = (await last.log()).filter(({ event }) => event === 'registration.failed');
    assert.match(said.map(({ msg }) => msg).join('\n'), /no free slot/);
    await stage.whole({ without: [last] });
    assert.equal((await last.ask('/')).status, 200, 'its app runs');
    await underLoad(t, stage, { mayFail: 0, deadStayDown: false }, () => first.stop());
    await stage.remove(first);
    apps = [...others, last];
  }
});

// What a person has taken away through Berth stays away, also when the coordinator is killed and begins anew; what somebody
// has stopped behind its back comes back.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { runBerthOn } from './run-berth-on.ts';
import { Stage } from './stage.ts';

describe('what an operator has taken away from a service with berth.availability', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.set({ slots: 10 });
    await stage.apps(3, { labels: { 'berth.availability': 'true' } });
  });
  after(() => stage[Symbol.asyncDispose]());

  const berth = async (...words: string[]) => {
    const { code, text } = await runBerthOn(stage, ...words);
    assert.equal(code, 0, text);
  };
  const instance = async (id: string) =>
    (await stage.view()).instances.find(({ container }) => container === id);
  const restart = async () => {
    await stage.coordinator.kill();
    await stage.coordinator.start();
  };
  const began = async (id: string) =>
    (await stage.engine.run(['inspect', '-f', '{{.State.StartedAt}}', id])).trim();

  it('one that was drained and then stopped is left alone until it is given back, another is not', async () => {
    const [mine, other] = (await stage.view()).instances;
    assert.ok(mine && other);
    await berth('drain', mine.name, '--reason', 'a look inside');
    await stage.wait(async () => {
      const one = await instance(mine.container);
      return one?.byOperator === true && one.phase === 'draining' && (await stage.view()).serving === 3;
    }, 'it is out of traffic, and a new one serves in its place');
    await stage.engine.run(['stop', '-t', '20', mine.container]);
    const started = await began(mine.container);
    await restart();
    await stage.engine.run(['stop', '-t', '20', other.container]);
    await stage.wait(
      async () => (await instance(other.container))?.serving === true && (await stage.view()).serving === 3,
      'the one that was stopped by hand serves again',
    );
    const left = await instance(mine.container);
    assert.deepEqual([left?.role, left?.byOperator], ['stopped', true]);
    assert.equal(await began(mine.container), started, 'it was not started');

    await berth('undrain', mine.name);
    assert.equal((await instance(mine.container))?.byOperator, false);
    const clone = (await stage.view()).instances.find((each) => each.clone) ?? assert.fail('one is a clone');
    await stage.engine.run(['rm', '-f', clone.container]);
    await stage.wait(
      async () => (await instance(mine.container))?.serving === true && (await stage.view()).serving === 3,
      'it is started in the place of one that was deleted',
    );
  });

  it('a service that was scaled to 0 stays there until it is given back', async () => {
    await berth('scale', stage.service, '0');
    await stage.settled(0);
    await restart();
    const [one] = await stage.containers();
    assert.ok(one);
    // It is not left at 0 because nobody looks.
    await stage.engine.run(['start', one.id]);
    await stage.wait(
      async () => (await stage.containers()).every(({ state }) => state === 'exited'),
      'one that was started by hand is stopped again',
    );
    await stage.settled(0);
    assert.deepEqual((await stage.view()).override?.replicas, 0);
    await berth('scale', stage.service, 'auto');
    await stage.settled(3);
  });
});

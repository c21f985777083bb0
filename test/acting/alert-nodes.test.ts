// Alerts about one container (REQUIREMENTS 58): the very container is cloned, or drained and removed, and nothing else; an
// alert about one that is not there says so; a coordinator that dies on the way is followed by one that finishes.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { endAlert, postAlert, readSample } from './alert-documents.ts';
import { Stage } from './stage.ts';

interface Inspected {
  Id: string;
  Config: { Env: string[]; Labels: Record<string, string>; Image: string };
  HostConfig: { Memory: number };
}

describe('an alert about one container', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.set({ slots: 10 });
    await stage.apps(1);
    await stage.app({
      env: { MARK: 'second' },
      labels: { 'test.mark': 'second' },
      options: ['--memory', '128m'],
    });
    await stage.serving(2);
  });
  after(() => stage[Symbol.asyncDispose]());

  const named = async (suffix: string) => {
    const one = (await stage.view()).instances.find(({ name }) => name.endsWith(suffix));
    return one ?? assert.fail(`${suffix} is there`);
  };
  const inspect = async (ids: readonly string[]) =>
    JSON.parse(await stage.engine.run(['inspect', ...ids])) as Inspected[];
  const ids = async () => (await stage.containers()).map(({ id }) => id);
  const about = async (sample: string, one: { name: string; container: string }, rule: string) => ({
    ...(await readSample(stage, sample, one)),
    rule_name: rule,
  });
  const up = 'elastalert-scale-up-node.json';

  it('clones it, with its own environment, limits and labels', async () => {
    const second = await named('-2');
    const old = await ids();
    const { fingerprint, state, reason } = await postAlert(stage, await about(up, second, 'clone'));
    assert.equal(state, 'processed', reason);
    await stage.settled(3);
    const made = (await ids()).filter((id) => !old.includes(id));
    const [clone] = await inspect(made);
    assert.equal(made.length, 1);
    if (clone === undefined) return assert.fail('one was made');
    assert.ok(clone.Config.Env.includes('MARK=second'));
    assert.equal(clone.Config.Labels['test.mark'], 'second');
    assert.equal(clone.HostConfig.Memory, 128 * 1024 * 1024);
    await endAlert(stage, fingerprint);
  });

  for (const moment of ['create.before', 'create.between', 'create.after'])
    it(`clones it once, also when the coordinator is killed at ${moment}`, async () => {
      const second = await named('-2');
      const old = await ids();
      // One that is just being removed may still be listed.
      const { serving } = await stage.view();
      await stage.coordinator.kill();
      await stage.coordinator.start({ BERTH_FAULT_KILL: moment });
      await stage.serving(serving);
      const document = await about(up, second, `killed at ${moment}`);
      await stage.coordinator.write('POST', '/api/v1/alerts/elastalert', document).catch(() => undefined);
      assert.equal(await stage.coordinator.ended(20_000), 'SIGKILL');
      await stage.coordinator.start();
      await stage.settled(serving + 1);
      const made = (await ids()).filter((id) => !old.includes(id));
      const [clone, another] = await inspect(made);
      assert.equal(another, undefined);
      assert.ok(clone?.Config.Env.includes('MARK=second'), 'it is like the one that the alert names');
      await stage.coordinator.write('POST', '/api/v1/silences', {
        match: { name: `killed at ${moment}` },
        for: '1h',
        by: 'test',
        why: 'the next one is heard alone',
      });
      await stage.scale(3);
      await stage.settled(3);
      await stage.scale(null);
    });

  it('drains and stops the one that it names, though others are younger; what people made is kept', async () => {
    const second = await named('-2');
    const document = await about('elastalert-scale-down-node.json', second, 'remove');
    const whole = JSON.parse(JSON.stringify(document));
    whole['_source'].match_body.rule_name = 'remove';
    const { state, reason, fingerprint } = await postAlert(stage, whole);
    assert.equal(state, 'processed', reason);
    await stage.settled(2);
    const kept = (await stage.containers()).find(({ id }) => id === second.container);
    assert.equal(kept?.state, 'exited');
    await endAlert(stage, fingerprint);
  });

  it('says of one that is not there that it is gone, and changes nothing', async () => {
    const old = await ids();
    const gone = { name: `${stage.service}-2`, container: 'f'.repeat(64) };
    const { fingerprint, state, reason } = await postAlert(stage, await about(up, gone, 'gone'));
    assert.equal(state, 'failed');
    assert.match(reason, /no container .*-2 is there: it is gone/);
    await endAlert(stage, fingerprint);
    assert.deepEqual(await ids(), old);
  });

  it('says so too when it names no service, and nobody knows the container', async () => {
    const { state, reason } = await postAlert(stage, {
      rule_name: 'nobody',
      action: 'scale_up_node',
      container_name: 'nobody_1',
    });
    assert.equal(state, 'failed');
    assert.match(reason, /no container nobody_1 of a known service/);
  });

  it('takes no other one in the place of one that is protected', async () => {
    await stage.app({ labels: { 'berth.protect': 'true' } });
    // Two are wanted, so one of the others goes.
    await stage.wait(async () => {
      const { current, serving, instances } = await stage.view();
      return current === 2 && serving === 2 && instances.some(({ name }) => name.endsWith('-3'));
    }, 'the protected one is among the two');
    const one = await named('-3');
    const document = await about('elastalert-scale-down-node.json', one, 'protected');
    const { state, reason } = await postAlert(stage, document);
    assert.equal(state, 'failed');
    assert.match(reason, /is protected \(berth\.protect\)/);
    assert.deepEqual([(await stage.view()).current, (await stage.view()).wanted], [2, 2]);
  });
});

// A container with labels and no agent inside, the older names among them: the coordinator registers it, watches it,
// drains it and gives its slot back.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startLoad } from '../bench/load.ts';
import { readRows } from '../faults/slot-rows.ts';
import { runBerthOn } from './run-berth-on.ts';
import { Stage } from './stage.ts';

describe('a container with labels only', () => {
  let stage: Stage;
  let service: string;
  before(async () => {
    stage = await Stage.set({ slots: 10 });
    service = stage.service;
  });
  after(() => stage[Symbol.asyncDispose]());

  const command = ['node', '/berth/app.mjs'];
  // Without what would set up an agent.
  const env = {
    HAPROXY_SERVER: '',
    HAPROXY_BACKEND: '',
    BERTH_COORDINATOR: '',
    BERTH_TOKEN: '',
    BERTH_SERVICE: '',
  };

  /** Resolves when no slot has any of these addresses. */
  const free = (addresses: readonly string[]) =>
    stage.wait(
      async () => {
        const { slots } = await readRows(stage.haproxy);
        return slots.every(({ at }) => !addresses.includes(at));
      },
      `no slot has ${addresses.join(' or ')}`,
    );
  const addressesOf = async (ids: readonly string[]) =>
    Promise.all(
      ids.map(async (id) => {
        const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}:8080';
        return (await stage.engine.run(['inspect', '-f', format, id])).trim();
      }),
    );

  it('is given a slot, by the older label names and by ours, and serves', async () => {
    const older = {
      container_service_name: service,
      container_haproxy_backend: 'app',
      container_haproxy_node: 'node',
      container_haproxy_backend_app_port: '8080',
      haproxy_host: stage.haproxy.address,
      haproxy_port: String(stage.haproxy.cliPort),
    };
    await stage.app({ command, env, labels: older });
    await stage.app({ command, env, labels: { 'berth.backend': 'app', 'berth.port': '8080' } });
    await stage.serving(2);
    const ready = await stage.readySlots();
    assert.equal(ready.length, 2, ready.join(', '));
    const [answer] = await Promise.all([fetch(stage.haproxy.url())]);
    assert.equal(answer.status, 200);
  });

  it('is drained by an operator, by the name of its container, and given back', async () => {
    await stage.wait(async () => (await stage.view()).cloneable, 'it can be cloned');
    const [one] = (await stage.view()).instances;
    if (one === undefined) return assert.fail('there is one');
    const berth = (...words: string[]) => runBerthOn(stage, ...words);
    const taken = await berth('drain', one.name, '--reason', 'a look inside');
    assert.equal(taken.code, 0, taken.text);
    const state = async () => (await stage.view()).instances.find(({ name }) => name === one.name);
    await stage.wait(async () => {
      const { serving = true, phase, byOperator } = (await state()) ?? {};
      return (
        !serving && phase === 'draining' && byOperator === true && (await stage.readySlots()).length === 1
      );
    }, 'it is out of traffic');
    assert.match((await berth('agents')).text, /draining +none: labels only/);
    await stage.coordinator.kill();
    await stage.coordinator.start();
    await stage.wait(async () => {
      const { serving = true, phase, byOperator } = (await state()) ?? {};
      return !serving && phase === 'draining' && byOperator === true;
    }, 'a coordinator that begins anew leaves it out');
    const back = await berth('undrain', one.name);
    assert.equal(back.code, 0, back.text);
    await stage.serving(2);
    assert.equal((await stage.readySlots()).length, 2);
    const rows = await stage.coordinator.audit(0, { service: stage.service });
    for (const event of ['agent.drain-requested', 'agent.return-requested'])
      assert.ok(
        rows.some((row) => row.event === event && row.container === one.container),
        event,
      );
  });

  it('is drained when fewer are wanted: long requests finish, and none is lost', async (t) => {
    await stage.wait(async () => (await stage.view()).cloneable, 'it can be cloned');
    await using load = startLoad({
      url: `${stage.haproxy.url()}/`,
      ratePerSecond: 40,
      maxSeconds: 30,
      longShare: 0.1,
      longPath: '/slow?ms=1500',
    });
    await stage.wait(async () => load.total.ok > 20, 'requests flow');
    const before = await addressesOf((await stage.containers()).map(({ id }) => id));
    await stage.scale(1);
    const took = await stage.settled(1);
    const stays = await stage.readySlots();
    await free(before.filter((address) => !stays.includes(address)));
    const counts = await load.stop();
    t.diagnostic(`${counts.sent} requests, drained and gone after ${Math.round(took)} ms`);
    assert.deepEqual(counts.errors, {});
  });

  it('gives its slot back when it is deleted; one more is made, since a number was set', async () => {
    const ids = (await stage.containers()).map(({ id }) => id);
    const running = (await stage.containers()).filter(({ state }) => state === 'running');
    const before = await addressesOf(running.map(({ id }) => id));
    await stage.engine.run(['rm', '-f', ...ids]);
    await stage.wait(
      async () => (await stage.containers()).every(({ id }) => !ids.includes(id)),
      'the old ones are gone',
    );
    await stage.settled(1);
    const now = (await stage.containers()).filter(({ state }) => state === 'running');
    const taken = await addressesOf(now.map(({ id }) => id));
    await free(before.filter((address) => !taken.includes(address)));
  });
});

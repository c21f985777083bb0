// The coordinator's keeper and agents in dynamic mode together on real HAProxys, with no template and no NODE_COUNT:
// restarts, reloads, deaths, what HAProxy does not let go, an operator's hand.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isDraining, isInMaintenance } from '../../shared/haproxy/slots.ts';
import { type HaproxyOptions, type HaproxyVersion, haproxyVersions, startHaproxy } from '../bench/haproxy.ts';
import { startLoad } from '../bench/load.ts';
import { until } from '../bench/wait.ts';
import { Fleet, Instance } from '../slots/fleet.ts';

const parameters = 'check inter 150ms maxconn 7000 weight 100';
const soonMs = 5000;

describe('dynamic servers with a coordinator', { concurrency: haproxyVersions.length }, () => {
  for (const version of haproxyVersions)
    describe(`HAProxy ${version}`, { concurrency: 1 }, () => testsOf(version));
});

function testsOf(version: HaproxyVersion): void {
  const start = async (options: HaproxyOptions = {}) => {
    const config = { backends: [{ name: 'app', slots: 0 }] };
    return new Fleet([await startHaproxy({ version, config, ...options })], 0, parameters);
  };
  const only = (fleet: Fleet) => {
    const [haproxy] = fleet.haproxys;
    assert.ok(haproxy);
    return haproxy;
  };
  const slotOf = (instance: Instance | undefined) => instance?.registrations[0]?.report().slot ?? '';
  const rowOf = async (fleet: Fleet, name: string) => (await fleet.rows()).find((each) => each.name === name);

  test('kill -9, a reload and five restarts: the coordinator makes every server again, as its agent made it', async (t) => {
    await using fleet = await start({ masterWorker: true });
    fleet.keep();
    const instances = await fleet.start(10);
    await fleet.keeperRounds(3);
    const haproxy = only(fleet);
    const times: number[] = [];
    const turns = [
      () => haproxy.kill().then(() => haproxy.start()),
      () => haproxy.reload(),
      ...Array.from({ length: 5 }, () => () => haproxy.restart()),
    ];
    for (const turn of turns) {
      await turn();
      times.push(Math.round(await fleet.whole(soonMs)));
      for (const line of (await haproxy.cli('show stat'))
        .split('\n')
        .filter((each) => each.includes(',node-')))
        assert.deepEqual([line.split(',')[6], line.split(',')[18]], ['7000', '100'], line);
    }
    t.diagnostic(`whole after ${times.join(', ')} ms`);
    const again = fleet.audit.filter(({ event }) => event === 'slot.reassigned');
    assert.ok(again.length >= 10, `${again.length} were made again`);
    for (const { reason, agent, to } of again)
      assert.ok(reason !== '' && agent !== undefined && to !== undefined);
    assert.deepEqual(fleet.audited(/^slot\.(?:reclaimed|muted|held|deleted)$/), []);
    // Agents that look after all that find their server, under whatever id, and leave in order.
    for (const { registrations } of instances) for (const each of registrations) each.attended = false;
    for (const instance of instances.slice(0, 3)) await instance.leave();
    await fleet.whole(soonMs);
    assert.equal((await fleet.rows()).length, 7);
    assert.deepEqual(
      instances.flatMap(({ events }) => events.filter(({ event }) => event === 'slot.lost')),
      [],
    );
  });

  test('the API’s view: state, agent and service; not what waits to be deleted', async () => {
    await using fleet = await start();
    const keeper = fleet.keep();
    const [instance] = await fleet.start(2);
    // Agents have looked about, and rest.
    await fleet.keeperRounds(5);
    await only(fleet).cli('add server app/node-10.1.2.3:80 127.0.0.1:1 disabled');
    await only(fleet).cli(`set server app/${slotOf(instance)} state drain`);
    await until(() => keeper.slots().some(({ state }) => state === 'drain'), { what: 'the drain is seen' });
    const views = keeper.slots().toSorted((a, b) => a.slot.localeCompare(b.slot));
    assert.deepEqual(
      views.map(({ backend, slot, state, agent, service }) => [backend, slot, state, agent, service]),
      fleet.instances.map((each, index) => [
        'app',
        slotOf(each),
        index === 0 ? 'drain' : 'ready',
        `agent-${each.address}`,
        'app',
      ]),
    );
    assert.deepEqual(
      keeper.haproxys().map(({ slots, free, ready }) => [slots, free, ready]),
      [[2, 0, 1]],
    );
  });

  // Without agents, which delete such servers as well.
  test('what was given back is deleted, and the audit says so', async () => {
    await using fleet = await start();
    fleet.keep();
    await only(fleet).cli('add server app/node-10.1.2.3:80 127.0.0.1:1 disabled');
    await until(async () => (await rowOf(fleet, 'node-10.1.2.3:80')) === undefined, {
      what: 'it is deleted',
    });
    await until(() => fleet.audited(/deleted/).length > 0, { what: 'it is in the audit' });
    assert.deepEqual(fleet.audited(/deleted/), ['slot.deleted app/node-10.1.2.3:80']);
  });

  test('the server of the dead is reclaimed and deleted; one whose app still serves is not', async () => {
    await using fleet = await start();
    fleet.keep();
    const [dead, cut] = await fleet.start(3);
    assert.ok(dead !== undefined && cut !== undefined);
    const [deadSlot, cutSlot] = [slotOf(dead), slotOf(cut)];
    await cut.killAgent();
    await dead.killAgent();
    await dead.stopApp();
    dead.phase = 'stopping';
    fleet.changed();
    await until(async () => (await rowOf(fleet, deadSlot)) === undefined, {
      what: 'it is gone',
      deadlineMs: 15_000,
    });
    assert.deepEqual(fleet.audited(/reclaimed/), [`slot.reclaimed app/${deadSlot}`]);
    await fleet.keeperRounds(15);
    assert.ok((await rowOf(fleet, cutSlot)) !== undefined);
    assert.equal((await fetch(only(fleet).url())).status, 200);
  });

  test('instances come and leave under load with a coordinator: no request fails, nothing is left', async (t) => {
    await using fleet = await start();
    fleet.keep();
    await fleet.start(3);
    await using load = startLoad({
      url: only(fleet).url(),
      ratePerSecond: 100,
      maxSeconds: 30,
      keepAlive: true,
    });
    for (let turn = 0; turn < 4; turn += 1) {
      await Instance.start(fleet, `127.0.0.${100 + turn}`);
      await fleet.whole(soonMs);
      await fleet.instances[turn]?.leave();
      await fleet.whole(soonMs);
    }
    const { sent, failed, errors } = await load.stop();
    t.diagnostic(`${sent} requests`);
    assert.deepEqual([failed, errors], [0, {}]);
    await until(async () => (await fleet.rows()).length === 3, { what: 'three rows are left' });
    assert.deepEqual(fleet.audited(/^slot\.(?!deleted)|^lock/), []);
  });

  test('maintenance and drain are an operator’s; what was written over or deleted is put right', async () => {
    await using fleet = await start();
    fleet.keep();
    const [instance] = await fleet.start(2);
    await fleet.keeperRounds(5);
    const name = slotOf(instance);
    for (const state of ['maint', 'drain']) {
      const from = fleet.audit.length;
      await only(fleet).cli(`set server app/${name} state ${state}`);
      await until(() => fleet.audited(/held/, from).length > 0, { what: 'the hold is in the audit' });
      await fleet.keeperRounds(15);
      assert.deepEqual(fleet.audited(/./, from), [`slot.held app/${name}`]);
      const row = await rowOf(fleet, name);
      assert.ok(row !== undefined && (isDraining(row) || isInMaintenance(row)));
      await only(fleet).cli(`set server app/${name} state ready`);
      await fleet.whole(soonMs);
      await fleet.keeperRounds(3);
    }
    await only(fleet).cli(`set server app/${name} state maint`);
    await only(fleet).cli(`del server app/${name}`);
    await fleet.whole(soonMs);
    await fleet.keeperRounds(5);
    await only(fleet).cli(`set server app/${name} addr 10.99.99.99 port 99`);
    await fleet.whole(soonMs);
    assert.equal((await rowOf(fleet, name))?.address, instance?.address);
  });

  test('what an agent says of its server and may not be sent fails alone', async () => {
    await using fleet = await start();
    fleet.keep();
    const [good, bad] = await fleet.start(2);
    assert.ok(good !== undefined && bad !== undefined);
    await fleet.keeperRounds(3);
    const report = bad.registrations[0]?.report();
    assert.ok(report);
    const hostile = `${parameters}; disable frontend app-in`;
    Object.defineProperty(bad, 'record', {
      value: { ...bad.record, registrations: [{ ...report, dynamic: hostile }] },
    });
    for (const { registrations } of fleet.instances) for (const each of registrations) each.attended = true;
    await good.killAgent();
    Object.defineProperty(good, 'hear', { value: true });
    await bad.killAgent();
    await only(fleet).restart();
    await until(async () => (await rowOf(fleet, slotOf(good))) !== undefined, {
      what: 'the good one is back',
    });
    await until(
      () => fleet.audit.some(({ event, outcome }) => event === 'slot.reassigned' && outcome === 'failed'),
      {
        what: 'the other one is in the audit',
      },
    );
    assert.equal(await rowOf(fleet, slotOf(bad)), undefined);
    assert.equal((await fetch(only(fleet).url())).status, 200);
  });
}

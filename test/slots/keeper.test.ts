// The coordinator's keeper and the agents' registrations together on real HAProxys: restarts, reloads, hands in the
// slots, instances that go without a word, and cut wires. After each, row 78's invariant holds again within a bound, and
// requests are counted.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { commands } from '../../shared/haproxy/commands.ts';
import { createRuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { freeAddress, isDown, isEnabled, isInMaintenance } from '../../shared/haproxy/slots.ts';
import { type HaproxyOptions, type HaproxyVersion, haproxyVersions, startHaproxy } from '../bench/haproxy.ts';
import type { TemplateOptions } from '../bench/haproxy-config.ts';
import { startLoad } from '../bench/load.ts';
import { freePort, until } from '../bench/wait.ts';
import { endpointOf, Fleet, Instance } from './fleet.ts';

/** Generous for a busy machine; what is normal is measured by the benchmark. */
const soonMs = 5000;
const slots = 12;
const config: TemplateOptions = { slots, inter: '150ms' };

async function startFleet(version: HaproxyVersion, options: HaproxyOptions = {}): Promise<Fleet> {
  return new Fleet([await startHaproxy({ version, config, ...options })], slots);
}

async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' } });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text;
}

/** Every instance answers through HAProxy. */
async function servesAll({ haproxys: [haproxy], instances }: Fleet): Promise<void> {
  assert.ok(haproxy);
  const ready = instances.filter(({ phase, goodbye }) => phase === 'ready' && goodbye === undefined);
  const seen = new Set<string>();
  for (let sent = 0; sent < ready.length * 4 && seen.size < ready.length; sent += 1)
    seen.add(await fetchText(haproxy.url()));
  assert.deepEqual([...seen].sort(), ready.map(({ address }) => address).sort());
}

function only(fleet: Fleet) {
  const [haproxy] = fleet.haproxys;
  assert.ok(haproxy);
  return haproxy;
}

const rowOf = async (fleet: Fleet, slot: string | undefined) => {
  const row = (await fleet.rows()).find(({ name }) => name === slot);
  assert.ok(row, slot);
  return row;
};

/** An agent that looked just before its slot was given back finds it again in a moment. */
const slotsOfAll = async (instances: readonly Instance[]): Promise<string[]> => {
  const has = (instance: Instance) => instance.registrations[0]?.report().slot !== undefined;
  await until(() => instances.every(has), { what: 'every agent knows its slot' });
  return instances.map(slotOf);
};

const slotOf = (instance: Instance | undefined): string => {
  const slot = instance?.registrations[0]?.report().slot;
  assert.ok(slot, 'it has a slot');
  return slot;
};

describe('keeper and registrations', { concurrency: 3 }, () => {
  for (const version of haproxyVersions) {
    const inTurn = { concurrency: 1 };
    describe(`HAProxy ${version}, restarts`, inTurn, () => restartTests(version));
    describe(`HAProxy ${version}, by hand`, inTurn, () => handTests(version));
    describe(`HAProxy ${version}, wires and deaths`, inTurn, () => deathTests(version));
    describe(`HAProxy ${version}, state files`, inTurn, () => stateFileTests(version));
  }
});

function restartTests(version: HaproxyVersion): void {
  test('kill -9 and start, restart, and ten restarts in a row: every slot is back, each its own', async (t) => {
    await using fleet = await startFleet(version);
    fleet.keep();
    const instances = await fleet.start(slots);
    // An agent that looks just then claims another slot before the coordinator gives it back its own.
    await handsOff(fleet);
    const before = instances.map(slotOf);
    const haproxy = only(fleet);
    await haproxy.kill();
    await haproxy.start();
    t.diagnostic(`after kill -9: ${Math.round(await fleet.whole(soonMs))} ms`);
    await servesAll(fleet);
    assert.deepEqual(await slotsOfAll(instances), before);
    const times: number[] = [];
    for (let restart = 0; restart < 10; restart += 1) {
      await haproxy.restart();
      times.push(Math.round(await fleet.whole(soonMs)));
    }
    t.diagnostic(`after ten restarts: ${times.join(', ')} ms`);
    await servesAll(fleet);
    assert.deepEqual(await slotsOfAll(instances), before);
    const restarts = fleet.audited(/^haproxy\.restarted$/).length;
    assert.ok(restarts >= 1 && restarts <= 11, `${restarts} restarts are in the audit`);
    const reassigned = fleet.audit.filter(({ event }) => event === 'slot.reassigned');
    assert.ok(reassigned.length >= slots, `${reassigned.length} reassignments`);
    for (const { reason, agent, to } of reassigned)
      assert.ok(reason !== '' && agent !== undefined && to !== undefined);
    assert.deepEqual(fleet.audited(/^slot\.(?:reclaimed|muted|held)$/), []);
  });

  test('a reload (master-worker): back at once; with a fresh state file no request fails', async (t) => {
    const options = { ...config, global: ['server-state-file /dev/null'] };
    await using fleet = await startFleet(version, { config: options, masterWorker: true });
    fleet.keep();
    await fleet.start(6);
    const haproxy = only(fleet);
    // The new worker has no slots until they are written: requests that come before are answered 503, by HAProxy.
    await using bare = startLoad({ url: haproxy.url(), ratePerSecond: 100, maxSeconds: 10 });
    await haproxy.reload();
    const ms = Math.round(await fleet.whole(soonMs));
    const counts = await bare.stop();
    t.diagnostic(
      `without a state file: whole after ${ms} ms, ${counts.failed} of ${counts.sent} requests failed`,
    );
    assert.deepEqual(
      Object.keys(counts.errors).filter((error) => error !== '503'),
      [],
    );
    await servesAll(fleet);

    const file = `${haproxy.folder}/servers.state`;
    const text = await readFile(haproxy.configPath, 'utf8');
    await haproxy.configure(() =>
      text
        .replace('/dev/null', file)
        .replace('defaults', 'defaults\n  load-server-state-from-file global')
        .replace('localhost:3128', 'localhost:3128 init-addr last,libc,none'),
    );
    await haproxy.reload();
    await fleet.whole(soonMs);
    await using load = startLoad({ url: haproxy.url(), ratePerSecond: 100, maxSeconds: 30 });
    for (let reload = 0; reload < 3; reload += 1) {
      await writeFile(file, `${await haproxy.cli('show servers state')}\n`);
      await haproxy.reload();
      await fleet.keeperRounds(3);
      assert.equal(await fleet.fault(), '');
    }
    const { sent, failed, errors } = await load.stop();
    t.diagnostic(`${sent} requests over three reloads with a state file`);
    assert.ok(sent > 10);
    assert.deepEqual([failed, errors], [0, {}]);
  });

  test('without a coordinator the agents do it alone; one that comes back finds nothing to do', async (t) => {
    await using fleet = await startFleet(version);
    await fleet.start(6);
    const haproxy = only(fleet);
    await haproxy.kill();
    await haproxy.start();
    t.diagnostic(`agents alone: ${Math.round(await fleet.whole(10_000))} ms`);
    await servesAll(fleet);
    const before = await fleet.rows();
    fleet.keep();
    await fleet.keeperRounds(10);
    assert.deepEqual(fleet.audited(/./), ['haproxy.found']);
    const bare = (rows: typeof before) =>
      rows.map((row) => ({ ...row, secondsSinceChange: 0, checkResult: 0, checkState: 0 }));
    assert.deepEqual(bare(await fleet.rows()), bare(before));
    // It goes, instances come and go, it comes back.
    await fleet.stopKeeping();
    await fleet.instances[0]?.leave();
    await fleet.start(2, 60);
    const from = fleet.audit.length;
    fleet.keep();
    await fleet.keeperRounds(10);
    assert.deepEqual(fleet.audited(/^slot|^lock/, from), []);
    await servesAll(fleet);
  });

  test('instances come and leave in order under load: no request fails', async (t) => {
    await using fleet = await startFleet(version);
    fleet.keep();
    await fleet.start(3);
    await using load = startLoad({ url: only(fleet).url(), ratePerSecond: 100, maxSeconds: 30 });
    for (let turn = 0; turn < 4; turn += 1) {
      await Instance.start(fleet, `127.0.0.${100 + turn}`);
      await fleet.instances[turn]?.leave();
      await fleet.whole(soonMs);
    }
    const { sent, failed, errors } = await load.stop();
    t.diagnostic(`${sent} requests`);
    assert.deepEqual([failed, errors], [0, {}]);
    assert.deepEqual(fleet.audited(/^slot|^lock/), []);
  });
}

/** Agents have had their second look, and rest; what is repaired from now on, the keeper repairs. */
const handsOff = (fleet: Fleet) => fleet.keeperRounds(5);

function handTests(version: HaproxyVersion): void {
  test('maintenance and drain are an operator’s: held, said once, and taken back by hand', async () => {
    await using fleet = await startFleet(version);
    fleet.keep();
    const [instance] = await fleet.start(2);
    await handsOff(fleet);
    const slot = slotOf(instance);
    for (const state of ['maint', 'drain']) {
      const from = fleet.audit.length;
      await only(fleet).cli(`set server app/${slot} state ${state}`);
      await until(() => fleet.audited(/held/, from).length > 0, { what: 'the hold is in the audit' });
      await fleet.keeperRounds(15);
      assert.deepEqual(fleet.audited(/./, from), [`slot.held app/${slot}`]);
      assert.equal(isEnabled(await rowOf(fleet, slot)), false);
      await only(fleet).cli(`set server app/${slot} state ready`);
      await fleet.whole(soonMs);
      await fleet.keeperRounds(3);
    }
    await servesAll(fleet);
  });

  test('another address in a live instance’s slot is put right in its place', async () => {
    await using fleet = await startFleet(version);
    fleet.keep();
    const [instance] = await fleet.start(3);
    await handsOff(fleet);
    const slot = slotOf(instance);
    await only(fleet).cli(`set server app/${slot} addr 10.99.99.99 port 99`);
    await fleet.whole(soonMs);
    assert.equal((await rowOf(fleet, slot)).address, instance?.address);
    await servesAll(fleet);
    await until(() => fleet.audited(/reassigned/).length > 0, { what: 'it is in the audit' });
    const written = fleet.audit.find(({ event }) => event === 'slot.reassigned');
    assert.match(written?.reason ?? '', /somebody wrote 10\.99\.99\.99:99 over/);
  });

  test('another live instance’s address in a slot: both have exactly one in the end', async () => {
    await using fleet = await startFleet(version);
    fleet.keep();
    const [one, two] = await fleet.start(3);
    await handsOff(fleet);
    const slot = slotOf(one);
    await only(fleet).cli(`set server app/${slot} addr ${two?.address} port ${two?.port}`);
    await until(async () => (await rowOf(fleet, slotOf(two))).address === two?.address, {
      what: 'its own slot stays',
    });
    await fleet.whole(soonMs);
    await servesAll(fleet);
    await until(() => fleet.audited(/reclaimed/).length > 0, { what: 'it is in the audit' });
    assert.deepEqual(fleet.audited(/reclaimed/), [`slot.reclaimed app/${slot}`]);
  });

  test('a free slot that somebody enables is muted; one with a live instance’s address is given back', async () => {
    await using fleet = await startFleet(version);
    fleet.keep();
    const [instance] = await fleet.start(1);
    await handsOff(fleet);
    const free = (await fleet.rows()).filter(isInMaintenance);
    assert.ok(free[0] && free[1]);
    await only(fleet).cli(`set server app/${free[0].name} state ready`);
    await fleet.whole(soonMs);
    await until(() => fleet.audited(/muted/).length > 0, { what: 'it is in the audit' });
    assert.deepEqual(fleet.audited(/muted/), [`slot.muted app/${free[0].name}`]);
    const again = `app/${free[1].name}`;
    await only(fleet).cli(
      `set server ${again} addr ${instance?.address} port ${instance?.port}; set server ${again} state ready`,
    );
    await until(() => fleet.audited(/reclaimed/).length === 1, { what: 'the double is in the audit' });
    await fleet.whole(soonMs);
  });

  test('an address of nobody that somebody knows: left, and reported once the coordinator should know everybody', async () => {
    await using fleet = await startFleet(version);
    const stranger = await Instance.start(fleet, '127.0.0.200');
    await fleet.whole();
    fleet.instances.pop();
    try {
      fleet.keep();
      await fleet.start(1).catch(() => undefined);
      await until(() => fleet.audited(/held/).length > 0, {
        what: 'the stranger is reported',
        deadlineMs: 20_000,
      });
      assert.deepEqual(fleet.audited(/^slot/), [`slot.held app/${slotOf(stranger)}`]);
      assert.equal(isEnabled(await rowOf(fleet, slotOf(stranger))), true);
    } finally {
      await stranger.end();
    }
  });

  test('lock rows of dead claimants are broken, and a slot left half-way is given back', async () => {
    await using fleet = await startFleet(version);
    fleet.keep();
    await fleet.start(1);
    await handsOff(fleet);
    const free = (await fleet.rows()).filter(isInMaintenance);
    const [one, two] = free;
    assert.ok(one && two);
    const lock = (name: string) => `add server app/claim.${name} 127.0.0.1:1`;
    await only(fleet).cli(
      `${lock(one.name)}; ${lock(two.name)}; set server app/${two.name} addr 10.50.0.1 port 80`,
    );
    const rowsLeft = async () => (await fleet.rows()).filter(({ name }) => name.includes('claim.')).length;
    await fleet.keeperRounds(5);
    assert.equal(await rowsLeft(), 2, 'a young lock may have a living holder');
    await until(async () => (await rowsLeft()) === 0, { what: 'the locks are broken', deadlineMs: 15_000 });
    await fleet.whole(soonMs);
    assert.equal((await rowOf(fleet, two.name)).address, freeAddress.address);
    await fleet.keeperRounds(2);
    assert.deepEqual(fleet.audited(/^(?:lock|slot)/).sort(), [
      ...[one, two].map(({ name }) => `lock.broken app/claim.${name}`).sort(),
      `slot.reclaimed app/${two.name}`,
    ]);
  });
}

function deathTests(version: HaproxyVersion): void {
  test('gone without a word: the slot is taken when HAProxy finds it down, not before', async () => {
    await using fleet = await startFleet(version);
    fleet.keep();
    const [dead, ...rest] = await fleet.start(4);
    assert.ok(dead);
    const slot = slotOf(dead);
    await dead.killAgent();
    // Its app serves on: silence is not death.
    await fleet.keeperRounds(20);
    assert.equal(isEnabled(await rowOf(fleet, slot)), true);
    assert.deepEqual(fleet.audited(/^slot/), []);
    await servesAll(fleet);
    dead.phase = 'stopping';
    await dead.stopApp();
    let wasDown = false;
    await until(
      async () => {
        const row = await rowOf(fleet, slot);
        wasDown ||= isDown(row);
        return isInMaintenance(row);
      },
      { what: 'the slot is taken', everyMs: 10 },
    );
    assert.ok(wasDown, 'HAProxy had found it down');
    await fleet.whole(soonMs);
    await until(() => fleet.audited(/reclaimed/).length > 0, { what: 'it is in the audit' });
    const [reclaimed] = fleet.audit.filter(({ event }) => event === 'slot.reclaimed');
    assert.match(reclaimed?.reason ?? '', /no heartbeat for \d+ s, and HAProxy finds nothing/);
    assert.equal(reclaimed?.agent, 'agent-127.0.0.10');
    assert.equal(rest.length, 3);
    await servesAll(fleet);
  });

  test('cut off from the coordinator only: it keeps its slot, also over a restart of HAProxy', async () => {
    await using fleet = await startFleet(version);
    fleet.keep();
    const [cut] = await fleet.start(3);
    assert.ok(cut);
    cut.hear = false;
    // Its agent notices, and looks for itself.
    for (const registration of cut.registrations) registration.attended = false;
    await fleet.keeperRounds(20);
    assert.deepEqual(fleet.audited(/^slot/), []);
    await only(fleet).restart();
    await fleet.whole(soonMs);
    await servesAll(fleet);
    assert.deepEqual(fleet.audited(/^slot\.(?:reclaimed|muted|held)$/), []);
    cut.hear = true;
    await fleet.keeperRounds(5);
    assert.equal(await fleet.fault(), '');
  });

  test('a goodbye from one who could not give its slot back: taken at once', async () => {
    await using fleet = await startFleet(version);
    fleet.keep();
    const [left] = await fleet.start(3);
    assert.ok(left);
    const slot = slotOf(left);
    // One that has begun to serve within the second before might as well be the next one with this address.
    await until(async () => (await rowOf(fleet, slot)).secondsSinceChange >= 2, {
      what: 'it serves for a while',
    });
    await left.killAgent();
    left.hear = true;
    left.goodbye = 'stopping';
    fleet.changed();
    await fleet.whole(soonMs);
    assert.equal(isInMaintenance(await rowOf(fleet, slot)), true);
    await until(() => fleet.audited(/^slot/).length > 0, { what: 'it is in the audit' });
    assert.deepEqual(fleet.audited(/^slot/), [`slot.reclaimed app/${slot}`]);
  });

  test('HAProxy out of the keeper’s reach only: instances come and go, and nothing is disturbed when it is back', async () => {
    await using fleet = await startFleet(version);
    const haproxy = only(fleet);
    await using wire = await startWire(haproxy.cliPort);
    fleet.keep([{ name: endpointOf(haproxy).name, host: '127.0.0.1', port: wire.port }]);
    await fleet.start(3);
    await until(() => fleet.keeper?.haproxys()[0]?.reachable, { what: 'the keeper reaches HAProxy' });
    await using load = startLoad({ url: haproxy.url(), ratePerSecond: 50, maxSeconds: 30 });
    wire.cut();
    await until(() => fleet.keeper?.haproxys()[0]?.reachable === false, {
      what: 'the keeper has lost HAProxy',
    });
    await fleet.instances[0]?.leave();
    await fleet.start(2, 60);
    const from = fleet.audit.length;
    wire.mend();
    await until(() => fleet.keeper?.haproxys()[0]?.reachable, { what: 'the keeper reaches HAProxy' });
    await fleet.keeperRounds(10);
    assert.equal(await fleet.fault(), '');
    assert.deepEqual(fleet.audited(/./, from), ['haproxy.found']);
    const { failed, errors } = await load.stop();
    assert.deepEqual([failed, errors], [0, {}]);
  });

  test('a socket without level admin: said once, and never as a HAProxy that comes and goes', async () => {
    let operatorPort = 0;
    const haproxy = await startHaproxy({ version, config });
    operatorPort = await freePort();
    const text = await readFile(haproxy.configPath, 'utf8');
    await haproxy.configure(() =>
      text.replace('global\n', `global\n  stats socket ipv4@127.0.0.1:${operatorPort} level operator\n`),
    );
    await haproxy.restart();
    await using fleet = new Fleet([haproxy], slots);
    const [instance] = await fleet.start(1);
    assert.ok(instance);
    fleet.keep([{ name: endpointOf(haproxy).name, host: '127.0.0.1', port: operatorPort }]);
    await fleet.keeperRounds(2);
    const free = (await fleet.rows()).find(isInMaintenance);
    assert.ok(free);
    await createRuntimeApi(endpointOf(haproxy)).transact([
      commands.setAddress(free, instance.address, instance.port),
      commands.setState(free, 'ready'),
    ]);
    await until(() => fleet.audited(/^slot/).length > 0, { what: 'the refusal is in the audit' });
    await fleet.keeperRounds(10);
    const [row, ...rest] = fleet.audit.filter(
      ({ event }) => event.startsWith('slot') || event.startsWith('repair'),
    );
    assert.deepEqual(rest, []);
    assert.equal(row?.outcome, 'failed');
    assert.match(row?.reason ?? '', /level admin/);
    assert.deepEqual(fleet.audited(/^haproxy/), ['haproxy.found']);
  });
}

function stateFileTests(version: HaproxyVersion): void {
  const withStateFile = (extra: Partial<TemplateOptions>): TemplateOptions => ({
    ...config,
    ...extra,
    defaults: ['load-server-state-from-file local'],
    backends: [{ name: 'app', lines: ['server-state-file-name app.state'] }],
  });

  /** What an operator's script would do, at a moment of the test's choice. */
  const saveState = async (fleet: Fleet) => {
    const haproxy = only(fleet);
    await writeFile(`${haproxy.folder}/app.state`, `${await haproxy.cli('show servers state app')}\n`);
  };

  async function startWithStateFile(extra: Partial<TemplateOptions>): Promise<Fleet> {
    const fleet = await startFleet(version, { config: withStateFile(extra) });
    const haproxy = only(fleet);
    const text = await readFile(haproxy.configPath, 'utf8');
    await haproxy.configure(() =>
      text.replace('global\n', `global\n  server-state-base ${haproxy.folder}\n`),
    );
    return fleet;
  }

  test('a stale state file brings back who is gone: out at once, and the living are whole', async () => {
    await using fleet = await startWithStateFile({ serverOptions: 'init-addr last,libc,none' });
    fleet.keep();
    const [left, stays] = await fleet.start(3);
    assert.ok(left && stays);
    await saveState(fleet);
    await left.leave();
    await fleet.whole(soonMs);
    const haproxy = only(fleet);
    await haproxy.kill();
    const from = fleet.audit.length;
    await haproxy.start();
    await fleet.whole(soonMs);
    await servesAll(fleet);
    await until(() => fleet.audited(/reclaimed/, from).length > 0, { what: 'it is in the audit' });
    const [reclaimed] = fleet.audit.slice(from).filter(({ event }) => event === 'slot.reclaimed');
    assert.match(reclaimed?.reason ?? '', /goodbye/);
  });

  test('a template with an IP address comes back ready without its address: muted, and put right in place', async () => {
    await using fleet = await startWithStateFile({ placeholder: '127.0.0.1:3128' });
    fleet.keep();
    // Addresses that are not loopback, as containers have; nothing answers there, and nothing needs to.
    const far = await Promise.all(
      [1, 2, 3].map((index) => Instance.start(fleet, `10.77.0.${index}`, { app: false, port: 80 })),
    );
    await fleet.settled();
    const before = far.map(slotOf);
    await saveState(fleet);
    const haproxy = only(fleet);
    await haproxy.kill();
    const from = fleet.audit.length;
    await haproxy.start();
    await fleet.whole(soonMs);
    await until(async () => far.every((instance, index) => slotOf(instance) === before[index]), {
      what: 'the same slots',
    });
    await fleet.keeperRounds(2);
    assert.equal(fleet.audited(/^slot\.muted/, from).length, 3);
    assert.equal(fleet.audited(/^slot\.reassigned/, from).length, 3);
  });

  test('the same without a coordinator: each agent mutes its own and claims anew', async () => {
    await using fleet = await startWithStateFile({ placeholder: '127.0.0.1:3128' });
    await Promise.all(
      [1, 2].map((index) => Instance.start(fleet, `10.77.0.${index}`, { app: false, port: 80 })),
    );
    await fleet.whole(soonMs);
    await saveState(fleet);
    const haproxy = only(fleet);
    await haproxy.kill();
    await haproxy.start();
    await fleet.whole(10_000);
  });
}

/** A TCP relay to HAProxy's Runtime API that a test can cut. */
async function startWire(target: number) {
  let isCut = false;
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => {
    if (isCut) {
      socket.destroy();
      return;
    }
    const far = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [socket, far],
      [far, socket],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port,
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend: () => {
      isCut = false;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

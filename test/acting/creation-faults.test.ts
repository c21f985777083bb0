// Creating an instance fails, for a reason that is really there: each is told in the plan and in the audit, is tried again
// later and later, stops nobody else, and is over as soon as its cause is. Two Docker Engines of the test's own: `small`,
// whose file system can be filled up, and `other`, on which a container of somebody else is promised most of the memory, so
// that the services with a limit have room on `small` alone.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runProcess } from '../bench/processes.ts';
import { freePort, until } from '../bench/wait.ts';
import { OwnEngines } from './own-engines.ts';

const image = 'berth-bench/tiny:1';
const doomed = 'berth-bench/doomed:1';
/** Only on `other`, so that the service that has it does not depend on `small`. */
const elsewhere = 'berth-bench/elsewhere:1';
const share = (percent: number) => String(Math.floor((totalmem() * percent) / 100));

describe('creating an instance', () => {
  let engines: OwnEngines;
  let disk: string;
  before(async () => {
    disk = await mkdtemp(join(tmpdir(), 'berth-disk-'));
    await runProcess('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'berth-test', disk]);
    engines = await OwnEngines.set([
      { name: 'small', dataRoot: disk, options: ['--live-restore'], images: [image, doomed] },
      { name: 'other', images: [elsewhere] },
    ]);
    await engines
      .engine('other')
      .daemon.run([
        ...['run', '-d', '--name', 'stranger', '--memory', share(88), elsewhere, 'sleep', '6000'],
      ]);
    await engines.begin('well', 'other', elsewhere);
    await engines.begin('sick', 'small', image, ['--memory', share(3)]);
  });
  after(async () => {
    await engines?.[Symbol.asyncDispose]();
    await runProcess('umount', ['-l', disk]);
    await rm(disk, { recursive: true, force: true });
  });

  let wellHas = 1;
  /** The other service gets one more, or one less, while the fault is there. */
  const wellGoesOn = async () => {
    wellHas = wellHas === 1 ? 2 : 1;
    await engines.reach('well', wellHas);
  };

  /** Resolves when creating has failed `times` times since `since` and waits; gives the reasons. */
  const failed = async (service: string, since: number, times: number, why: RegExp) => {
    const rows = await until(
      async () => {
        const all = (await engines.audit(since, service, 'instance.created')).filter(
          ({ outcome, reason }) => outcome === 'failed' && why.test(reason),
        );
        return all.length >= times && all;
      },
      { what: `creating ${service} has failed ${times} times with ${why}`, deadlineMs: 30_000 },
    ).catch((error: unknown) => {
      throw new Error(engines.coordinator.output().slice(-4000), { cause: error });
    });
    await engines.see(service, 'says in its plan why it waits', ({ plan }) =>
      plan.some(
        ({ step, reason }) =>
          step === 'hold' &&
          why.test(reason) &&
          /the last try failed .* the next one is in \d+ s/.test(reason),
      ),
    );
    const held = await engines.audit(since, service, 'service.held');
    assert.ok(
      held.some(({ reason }) => why.test(reason)),
      JSON.stringify(held),
    );
    return rows;
  };

  /** Each pause is at least as long as is promised: 1, 2, 4 … s. */
  const backsOff = (rows: readonly { at: string }[]) => {
    // Those that were tried at once count once.
    const times = rows
      .map(({ at }) => Date.parse(at))
      .filter((time, index, all) => time - (all[index - 1] ?? 0) > 500);
    assert.ok(times.length > 1, times.join(' '));
    for (let index = 1; index < times.length; index += 1)
      assert.ok(
        (times[index] ?? 0) - (times[index - 1] ?? 0) >= 1000 * 2 ** (index - 1) - 50,
        times.join(' '),
      );
  };

  it('of which the image was deleted waits longer each time, and succeeds once the image is back', async () => {
    const { daemon } = engines.engine('small');
    await engines.begin('gone', 'small', doomed, ['--memory', share(3)]);
    // The spec is stored, then everything else of it is deleted.
    const since = Date.now();
    await daemon.run(['tag', doomed, 'kept:1']);
    const saved = join(disk, '..', `berth-image-${process.pid}.tar`);
    await daemon.run(['save', '-o', saved, doomed]);
    await engines.scale('gone', 2);
    await engines.see('gone', 'has 2', ({ serving }) => serving === 2);
    await daemon.run(['rm', '-f', 'gone_1', 'gone_2']);
    await daemon.run(['rmi', '-f', 'kept:1', doomed]);
    const rows = await failed('gone', since, 3, /No such image/);
    backsOff(rows);
    await wellGoesOn();
    assert.deepEqual(await engines.names('gone'), [], 'no heap of containers');
    await daemon.run(['load', '-i', saved]);
    await rm(saved);
    await engines.see(
      'gone',
      'has 2 again',
      ({ serving, plan }) => serving === 2 && plan.length === 0,
      30_000,
    );
    // A success has reset it: the next failure waits for a second again.
    const again = Date.now();
    await daemon.run(['rm', '-f', ...(await engines.names('gone'))]);
    await daemon.run(['rmi', '-f', doomed]);
    await failed('gone', again, 2, /No such image/);
    const holds = await engines.audit(again, 'gone', 'service.held');
    assert.match(holds.find(({ reason }) => /No such image/.test(reason))?.reason ?? '', /is in 1 s/);
    await engines.scale('gone', 0);
    await engines.see('gone', 'wants no more', ({ plan }) => plan.length === 0);
  });

  it('of which the host port is taken says so, makes no heap, and goes on when the port is free', async () => {
    const first = await freePort();
    const range = `127.0.0.1:${first}-${first + 1}:8080`;
    // The original has one port of the range; somebody else has the other one.
    const since = Date.now();
    await engines.begin('ports', 'small', image, ['--memory', share(3), '--publish', range]);
    const published = await engines.engine('small').daemon.run(['port', 'ports_1', '8080']);
    const taken = Number(published.trim().split(':').at(-1)) === first ? first + 1 : first;
    const thief = createServer();
    await new Promise<void>((resolve) => thief.listen(taken, '127.0.0.1', resolve));
    try {
      await engines.scale('ports', 2);
      const rows = await failed(
        'ports',
        since,
        2,
        /address already in use|already allocated|ports are allocated/,
      );
      backsOff(rows);
      await wellGoesOn();
      assert.deepEqual(await engines.names('ports'), ['ports_1'], 'what could not be started is removed');
    } finally {
      await new Promise((resolve) => thief.close(resolve));
    }
    await engines.see('ports', 'has 2', ({ serving, plan }) => serving === 2 && plan.length === 0, 30_000);
    await engines.reach('ports', 0);
  });

  it('of which somebody takes the name just before takes the next one: nothing fails', async () => {
    const { daemon, proxy } = engines.engine('small');
    const since = Date.now();
    const stolen: string[] = [];
    proxy.before = async (method, url) => {
      const name = url.searchParams.get('name');
      if (method !== 'POST' || !url.pathname.endsWith('/containers/create') || name === null) return;
      if (stolen.length === 2) return;
      stolen.push(name);
      await daemon.run(['create', '--name', name, image]);
    };
    try {
      await engines.reach('sick', 2);
    } finally {
      proxy.before = undefined;
    }
    assert.deepEqual(stolen, ['sick_2', 'sick_3']);
    assert.deepEqual(await engines.names('sick'), ['sick_1', 'sick_4']);
    const rows = await engines.audit(since, 'sick', 'instance.created');
    assert.deepEqual(
      rows.map(({ outcome }) => outcome),
      ['ok'],
    );
    await daemon.run(['rm', ...stolen]);
    await engines.reach('sick', 1);
  });

  it('that is one too many and cannot be deleted waits longer each time, says so, and is deleted later', async () => {
    await engines.reach('sick', 2);
    const { proxy } = engines.engine('small');
    const since = Date.now();
    proxy.refuse = (method) =>
      method === 'DELETE' ? { status: 500, message: 'driver failed: device or resource busy' } : undefined;
    try {
      await engines.scale('sick', 1);
      await engines.see('sick', 'holds', ({ plan }) =>
        plan.some(({ reason }) => /is not deleted: .*resource busy.*; the next one is in \d+ s/.test(reason)),
      );
      const rows = await until(
        async () => {
          const failed = await engines.audit(since, 'sick', 'instance.removed');
          return failed.length >= 2 && failed;
        },
        { what: 'deleting has failed twice' },
      );
      backsOff(rows);
      const tries = proxy.passed.filter(({ what, at }) => what.startsWith('DELETE') && at >= since);
      assert.ok(tries.length <= rows.length + 2, `${tries.length} tries, ${rows.length} rows`);
    } finally {
      proxy.refuse = undefined;
    }
    await engines.reach('sick', 1);
    assert.equal((await engines.names('sick')).length, 1);
  });

  it('on a full disk says so, does not delay a scale-down, and goes on when there is space', async () => {
    await engines.reach('sick', 3);
    const since = Date.now();
    const hog = join(disk, 'hog');
    await runProcess('sh', ['-c', `dd if=/dev/zero of=${hog} bs=1M count=80 2>/dev/null || true`]);
    // The last bytes, too: what is left of a block is enough for a small file.
    await writeFile(join(disk, 'last'), Buffer.alloc(200_000)).catch(() => undefined);
    await engines.scale('sick', 5);
    const rows = await failed('sick', since, 3, /no space left on device/);
    backsOff(rows);
    assert.match(rows[0]?.reason ?? '', /docker system df/, 'with what to do about it');
    await wellGoesOn();
    assert.equal((await engines.names('sick')).length, 3);
    // While it waits for the next try, one less is wanted than there are.
    const { plan } = await engines.view('sick');
    assert.ok(plan.some(({ reason }) => /the next one is in/.test(reason)));
    await engines.reach('sick', 2);
    await engines.see('sick', 'has stopped one', async () => {
      const stopped = await engines.audit(since, 'sick', 'instance.stopped');
      return stopped.length === 1 && stopped[0]?.outcome === 'ok';
    });
    await rm(hog);
    await rm(join(disk, 'last'), { force: true });
    await engines.reach('sick', 4, 30_000);
    await engines.reach('sick', 1);
  });

  it('while the daemon is killed and comes back: unknown is not empty, nothing is made twice', async () => {
    const { daemon, proxy } = engines.engine('small');
    const since = Date.now();
    const serving = await engines.readySlots();
    let killed: 'no' | 'begun' | 'done' = 'no';
    proxy.before = async (method, url) => {
      if (method !== 'POST' || !url.pathname.endsWith('/start') || killed !== 'no') return;
      // In the middle: made, and not started yet.
      killed = 'begun';
      await daemon.kill();
      killed = 'done';
    };
    await engines.scale('sick', 3);
    await until(() => killed === 'done', { what: 'the daemon is killed between create and start' });
    proxy.before = undefined;
    await engines.see('sick', 'holds', ({ plan }) =>
      plan.some(({ step, reason }) => step === 'hold' && /Docker host small does not answer/.test(reason)),
    );
    const still = await engines.readySlots();
    assert.deepEqual(
      serving.filter((slot) => !still.includes(slot)),
      [],
      'what served goes on serving',
    );
    await wellGoesOn();
    await daemon.start();
    await engines.see(
      'sick',
      'has 3, and what was half made is gone',
      async ({ serving: count, plan }) =>
        count === 3 && plan.length === 0 && (await engines.names('sick')).length === 3,
      40_000,
    );
    const all = await engines.audit(since, 'sick', 'instance.created');
    assert.ok(
      all.some(
        ({ outcome, reason }) => outcome === 'failed' && /cannot be reached|socket hang up/.test(reason),
      ),
      JSON.stringify(all),
    );
    assert.equal(new Set(await engines.readySlots()).size, 3 + wellHas);
  });
});

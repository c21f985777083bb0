// The coordinator is killed with SIGKILL between any two effects of a step. The one that comes after it brings the
// service to what is wanted all the same: no container too many, none forgotten, every slot right.
//
// The random part runs for RANDOM_SECONDS, or, when RANDOM_RUNS is set, until it has killed that often. SEED repeats a run.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startLoad } from '../bench/load.ts';
import { until } from '../bench/wait.ts';
import { dice } from '../haproxy/virtual-time.ts';
import { Stage } from './stage.ts';

const base = 2;
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const randomRuns = Number(process.env['RANDOM_RUNS'] ?? Number.POSITIVE_INFINITY);
const randomMs =
  Number(process.env['RANDOM_SECONDS'] ?? (Number.isFinite(randomRuns) ? Number.POSITIVE_INFINITY : 15)) *
  1000;

describe('a coordinator that is killed', () => {
  let stage: Stage;
  let plain: string;
  before(async () => {
    stage = await Stage.set({ slots: 20 });
    plain = `${stage.service}-plain`;
    await Promise.all([
      stage.apps(base, { labels: { 'berth.availability': 'true', 'berth.warm': '1' } }),
      stage.apps(base, { service: plain, labels: { 'berth.availability': 'true' } }),
    ]);
    await whole();
  });
  after(() => stage[Symbol.asyncDispose]());

  /** Both services are as they should be. */
  async function whole(count = base, plainCount = base): Promise<number> {
    const [took] = await Promise.all([
      stage.settled(count, { parked: 1, others: plainCount, deadlineMs: 40_000 }),
      stage.settled(plainCount, { service: plain, others: count, deadlineMs: 40_000 }),
    ]);
    return took;
  }

  const stopOne = async (service: string, command: readonly string[]) => {
    const one = (await stage.containers(service)).find(({ state }) => state === 'running') ?? assert.fail();
    await stage.engine.run([...command, one.id]);
  };
  const up = () => stage.scale(base + 1);
  const upAndDown = async () => {
    await up();
    await stage.serving(base + 1).catch(() => undefined);
    await stage.scale(base);
  };
  const putBack = async () => {
    await using load = startLoad({
      url: `${stage.haproxy.url()}/slow?ms=1500`,
      ratePerSecond: 20,
      maxSeconds: 2,
    });
    await until(() => load.total.sent > 20, { what: 'requests are under way' });
    await stage.scale(1, {}, plain);
    await stage.wait(
      async () => (await stage.view(plain)).instances.some(({ role }) => role === 'draining'),
      'one drains',
      5000,
      plain,
    );
    await stage.scale(base, {}, plain);
  };
  const acts: readonly [moments: readonly string[], act: () => Promise<unknown>][] = [
    [['unpark.before', 'unpark.between', 'unpark.after'], up],
    [['create.before', 'create.between', 'create.after', 'park.before', 'park.after'], up],
    [['drain.before', 'drain.after', 'stop.before', 'stop.between', 'stop.after'], upAndDown],
    [['start.before', 'start.after'], () => stopOne(plain, ['stop', '-t', '3'])],
    [['undrain.before', 'undrain.after'], putBack],
  ];

  for (const [moments, act] of acts) {
    for (const moment of moments) {
      it(`at ${moment}, is followed by one that does the rest`, async (t) => {
        await stage.coordinator.kill();
        await stage.coordinator.start({ BERTH_FAULT_KILL: moment });
        // It may die before it has answered, or while it takes over.
        await connected().catch(() => undefined);
        await act().catch(() => undefined);
        try {
          assert.equal(await stage.coordinator.ended(20_000), 'SIGKILL');
        } finally {
          await stage.coordinator.kill();
          await stage.coordinator.start();
          await reset();
        }
        t.diagnostic(`whole ${Math.round(await whole())} ms after it was back`);
      });
    }
  }

  it(`at random moments of random acts, is followed by one that does the rest (seed ${seed})`, async (t) => {
    const random = dice(seed);
    const choose = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] ?? assert.fail();
    const moments = acts.flatMap(([all]) => all);
    const deadline = performance.now() + randomMs;
    let runs = 0;
    let atMoment = 0;
    while (runs < randomRuns && performance.now() < deadline) {
      // At once, so that a run which is cut short can be repeated as well.
      if (runs % 20 === 0) console.error(`seed ${seed}: ${runs} runs so far, none has failed`);
      runs += 1;
      const moment = `${choose(moments)}:${1 + Math.floor(random() * 2)}`;
      const count = 1 + Math.floor(random() * 4);
      const plainCount = 1 + Math.floor(random() * 3);
      const loss = choose<readonly string[]>([[], ['kill'], ['rm', '-f'], ['stop', '-t', '2']]);
      await stage.coordinator.kill();
      await stage.coordinator.start({ BERTH_FAULT_KILL: moment });
      const order = Promise.allSettled([
        stage.scale(count),
        stage.scale(plainCount, {}, plain),
        ...(loss.length === 0 ? [] : [stopOne(choose([stage.service, plain]), loss)]),
      ]);
      const wait = stage.coordinator.ended(300 + Math.floor(random() * 2000));
      const died = await wait.then(
        () => true,
        () => false,
      );
      if (died) atMoment += 1;
      else await stage.coordinator.kill();
      await order;
      await stage.coordinator.start();
      await stage.scale(count);
      await stage.scale(plainCount, {}, plain);
      await whole(count, plainCount).catch((cause: unknown) => {
        throw new Error(`seed ${seed}, run ${runs}: ${moment}, ${count}, ${plainCount}, ${loss}`, { cause });
      });
    }
    t.diagnostic(
      `${runs} runs with seed ${seed}, ${atMoment} of them killed at their moment, the others at any`,
    );
  });

  /** Every agent that runs has a session. */
  async function connected(): Promise<void> {
    await until(
      async () => {
        const views = await Promise.all([stage.view(), stage.view(plain)]);
        return views.every(({ serving }) => serving === base);
      },
      { what: 'all serve', deadlineMs: 5000 },
    );
  }

  async function reset(): Promise<void> {
    await stage.scale(base);
    await stage.scale(base, {}, plain);
  }
});

// Row 78 under faults in random order: whatever was done, the invariant holds again within a bounded time. Each run is
// another one and prints its seed; BERTH_SEED=… repeats its choices.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Cut, cut } from './cut.ts';
import type { Instance } from './instance.ts';
import { Stage } from './stage.ts';

const steps = 10;
/** The longest way back: a coordinator that has just started gives silent owners 10 s. */
const withinMs = 25_000;
/** More owners than these silent at once look like a fault of the coordinator's own, and are left alone for a minute. */
const mostSilent = 2;

interface Actor {
  instance: Instance;
  state: 'runs' | 'stopped' | 'killed' | 'paused';
  cut: Cut | undefined;
}

interface Deed {
  name: string;
  act(): Promise<unknown>;
}

describe('faults in random order', () => {
  let stage: Stage;
  let actors: Actor[];
  before(async () => {
    stage = await Stage.set({ masterWorker: true });
    actors = (await stage.instances(4)).map((instance) => ({ instance, state: 'runs', cut: undefined }));
  });
  after(() => stage[Symbol.asyncDispose]());

  it(`the invariant holds again after each of ${steps}`, async (t) => {
    const seed = Number(process.env['BERTH_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
    t.diagnostic(`BERTH_SEED=${seed}`);
    const random = randomFrom(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] ?? assert.fail();
    const done: string[] = [];
    const whole = async (what: string) => {
      const without = actors.filter((actor) => actor.cut !== undefined).map(({ instance }) => instance);
      const ms = await stage.whole({ withinMs, without }).catch((cause: unknown) => {
        throw new Error(`BERTH_SEED=${seed}, after ${[...done, what].join('; ')}`, { cause });
      });
      done.push(what);
      t.diagnostic(`${what}: whole after ${(ms / 1000).toFixed(2)} s`);
    };
    for (let step = 0; step < steps; step += 1) {
      // Now and then two at once, of different parts.
      const first = pick(deedsOnInstances(pick(actors)));
      const both = random() < 0.3 ? [first, pick(deedsOnOthers())] : [pick([first, pick(deedsOnOthers())])];
      await Promise.all(both.map(({ act }) => act()));
      await whole(both.map(({ name }) => name).join(' and '));
    }
    for (const actor of actors) await bringBack(actor);
    if (!stage.coordinator.isUp) await stage.coordinator.start();
    await whole('everything is brought back');
    assert.equal((await stage.running()).length, actors.length);
  });

  function deedsOnInstances(actor: Actor): Deed[] {
    const { instance, state } = actor;
    const deed = (name: string, act: () => Promise<unknown>): Deed => ({
      name: `${name} ${instance.name}`,
      act,
    });
    const to = (next: Actor['state'], act: () => Promise<unknown>) => async () => {
      await actor.cut?.mend();
      actor.cut = undefined;
      await act();
      actor.state = next;
    };
    const isSilent = (other: Actor) =>
      other.state === 'killed' || other.state === 'paused' || other.cut !== undefined;
    if (state !== 'runs' || actor.cut !== undefined) return [deed('bring back', () => bringBack(actor))];
    const orderly = [
      deed(
        'stop',
        to('stopped', () => instance.stop()),
      ),
      deed(
        'restart',
        to('runs', () => instance.restart()),
      ),
    ];
    if (actors.filter(isSilent).length >= mostSilent) return orderly;
    return [
      ...orderly,
      deed(
        'kill',
        to('killed', () => instance.kill()),
      ),
      deed(
        'kill and start',
        to('runs', () => instance.kill().then(() => instance.start())),
      ),
      deed(
        'pause',
        to('paused', () => instance.pause()),
      ),
      deed('cut off', async () => {
        actor.cut = await cut(instance, { address: stage.network.gateway });
      }),
    ];
  }

  async function bringBack(actor: Actor): Promise<void> {
    await actor.cut?.mend();
    actor.cut = undefined;
    if (actor.state === 'paused') await actor.instance.unpause();
    else if (actor.state !== 'runs') await actor.instance.start();
    actor.state = 'runs';
  }

  function deedsOnOthers(): Deed[] {
    const { haproxy, coordinator } = stage;
    return [
      { name: 'HAProxy killed and started', act: () => haproxy.kill('SIGKILL').then(() => haproxy.start()) },
      { name: 'HAProxy restarted', act: () => haproxy.restart() },
      { name: 'HAProxy reloaded', act: () => haproxy.reload() },
      coordinator.isUp
        ? { name: 'coordinator killed', act: () => coordinator.kill() }
        : { name: 'coordinator started', act: () => coordinator.start() },
    ];
  }
});

/** Mulberry32, by Tommy Ettinger (public domain): numbers from 0 up to 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

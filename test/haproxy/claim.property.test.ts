// Claiming over interleavings: agents' registrations against a model of HAProxy, with delays, late addresses, agents that
// die at any point, restarts of HAProxy in the middle, and coordinators that plan and write many slots at once without
// waiting for anybody, and die at any point too. After the noise the picture must be whole:
// every live agent has one slot of its own, nobody has two, nobody lost one to another, and no lock row is left.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { play, scenarios } from './claim-noise.ts';

test('after any noise every live agent owns one slot, nobody lost one to another, no lock row is left', async (t) => {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
  t.diagnostic(`seed ${seed}; repeat with FC_SEED=${seed}`);
  await fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      const { actors, haproxy } = await play(scenario);
      const rows = [...haproxy.rows];
      const locks = rows.filter(([name]) => /^(?:claim|break)\./.test(name)).map(([name]) => name);
      const living = actors.filter(({ alive, left }) => alive && !left);
      const owners = living.filter(({ address }) => rows.some(([, row]) => row.address === address));
      for (const actor of owners) {
        const mine = rows.filter(([, row]) => row.address === actor.address);
        assert.equal(mine.length, 1, `${actor.address} has ${mine.length} slots`);
        assert.equal(mine[0]?.[1].adminState, 4, `${actor.address} is not ready`);
        assert.equal(
          actor.registration.report().slot,
          mine[0]?.[0],
          `${actor.address} believes in another slot`,
        );
      }
      const taken = rows.filter(
        ([name, row]) => name.startsWith('node') && row.address !== '127.0.0.1',
      ).length;
      if (owners.length < living.length) {
        assert.equal(
          taken,
          scenario.slots,
          `${living.length - owners.length} wait although ${scenario.slots - taken} slots are free`,
        );
      }
      // A coordinator that has not heard of it yet may write a slot for one who has just left, and die; the next
      // coordinator takes it back, and here there is none.
      for (const actor of scenario.keepers.length > 0
        ? []
        : actors.filter(({ alive, left }) => alive && left)) {
        assert.ok(
          !rows.some(([, row]) => row.address === actor.address),
          `${actor.address} left and still has a slot`,
        );
      }
      if (scenario.restartsAtMs.length === 0 && scenario.keepers.length === 0) {
        const lost = actors.flatMap(({ events }) => events.filter(({ event }) => event === 'slot.lost'));
        assert.equal(lost.length, 0, `${lost.length} owners lost a slot without a restart`);
      }
      // Somebody must be there to break what the dead have left.
      if (owners.length > 0) assert.deepEqual(locks, []);
    }),
    { seed, numRuns: Number(process.env['FC_RUNS'] ?? 120) },
  );
});

// Dynamic mode over interleavings, with the noise of test/haproxy/claim-noise.ts and a HAProxy that refuses to delete now
// and then. After the noise every live agent has one ready server, who left has none, and nothing lies about.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { play, type Scenario, scenarios } from '../haproxy/claim-noise.ts';

const quiet = {
  slots: 0,
  parameters: 'check inter 5s',
  keepsUntilMs: 0,
  addressDelayMs: 0,
  deaths: [],
  leaves: [],
};
/** What has failed once: a coordinator that died half way, and one that added a server that was being given back. */
const examples: [Scenario][] = [
  [{ ...quiet, seed: 0, agents: 2, delayMs: 60, restartsAtMs: [477], keepers: [{ fromMs: 0, forMs: 665 }] }],
  [
    {
      ...quiet,
      seed: -2146958848,
      agents: 7,
      delayMs: 30,
      leaves: [{ agent: 11, atMs: 2168 }],
      restartsAtMs: [1548],
      keepers: [{ fromMs: 1888, forMs: 354 }],
    },
  ],
];

test('after any noise every live agent has its server, who left has none, nothing is left behind', async (t) => {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
  t.diagnostic(`seed ${seed}; repeat with FC_SEED=${seed}`);
  const dynamic = fc.tuple(scenarios, fc.constantFrom(0, 2000, 10_000)).map(
    ([scenario, keepsUntilMs]): Scenario => ({
      ...scenario,
      slots: 0,
      parameters: 'check inter 5s',
      keepsUntilMs,
    }),
  );
  await fc.assert(
    fc.asyncProperty(dynamic, async (scenario) => {
      const { actors, haproxy } = await play(scenario);
      const rows = [...haproxy.rows];
      const living = actors.filter(({ alive, left }) => alive && !left);
      for (const { address, registration } of living) {
        const mine = rows.filter(([, row]) => row.address === address);
        const name = `node-${address}:80`;
        assert.deepEqual(
          mine.map(([each, row]) => [each, row.adminState]),
          [[name, 4]],
          `what ${address} has`,
        );
        assert.equal(registration.report().slot, name);
      }
      // A coordinator that has not heard of it yet may add it for one who has just left, and die; the next coordinator
      // takes it back, and here there is none.
      for (const { address } of scenario.keepers.length > 0
        ? []
        : actors.filter(({ alive, left }) => alive && left))
        assert.ok(!rows.some(([, row]) => row.address === address), `${address} left and still has a server`);
      if (scenario.restartsAtMs.length === 0 && scenario.keepers.length === 0) {
        const lost = actors.flatMap(({ events }) => events.filter(({ event }) => event === 'slot.lost'));
        assert.equal(lost.length, 0, `${lost.length} lost their server without a restart`);
      }
      // Somebody must be there to clear away what the dead have left.
      if (living.length === 0) return;
      assert.deepEqual(
        rows
          .filter(([name, row]) => name.startsWith('claim.') || row.address === '127.0.0.1')
          .map(([name]) => name),
        [],
      );
    }),
    { seed, examples, numRuns: Number(process.env['FC_RUNS'] ?? 120) },
  );
});

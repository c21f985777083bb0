// How long an agent waits at BERTH_GATE=haproxy between two looks, and when it says what it waits for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GateWait } from '../../agent/gate-wait.ts';

/** Waits for `ms` and returns the pauses and what was said. */
function waitFor(gate: GateWait, ms: number, from = 1000): { pauses: number[]; said: number[] } {
  const pauses: number[] = [];
  const said: number[] = [];
  for (let now = from; now - from <= ms; ) {
    const { pauseMs, longMs } = gate.wait(now);
    pauses.push(pauseMs);
    if (longMs !== undefined) said.push(longMs);
    now += pauseMs;
  }
  return { pauses, said };
}

test('often at first, then ever more rarely up to once a second; said once after five seconds', () => {
  const gate = new GateWait();
  const { pauses, said } = waitFor(gate, 60_000);
  assert.equal(pauses[0], 50);
  assert.deepEqual(
    pauses,
    pauses.toSorted((a, b) => a - b),
  );
  assert.equal(pauses.at(-1), 1000);
  assert.ok(pauses.length < 120, `${pauses.length} looks in a minute`);
  assert.equal(said.length, 1);
  assert.ok((said[0] ?? 0) >= 5000 && (said[0] ?? 0) < 6000);
  gate.reset();
  assert.equal(waitFor(gate, 4000, 99_000).said.length, 0);
  gate.reset();
  assert.equal(waitFor(gate, 10_000, 999_000).said.length, 1);
});

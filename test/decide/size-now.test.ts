// What comes before any metric: may it decide, which size is it now, and sizes that no metric has a say in.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atOnce, instances, load, noon, scenario } from './scenario.ts';

const loaded = { metrics: [load(100)], behavior: atOnce };

test('nothing is decided without the lease, by a disabled policy, or against another policy', () => {
  const web = scenario(loaded, 2);
  assert.equal(web.load(900, { gate: { leader: false } }).reason, 'NotLeader');
  const conflict = web.load(900, { gate: { conflictsWith: 'other' } });
  assert.equal(conflict.reason, 'Conflict');
  assert.match(conflict.detail ?? '', /other/);
  assert.equal(scenario({ ...loaded, enabled: false }, 2).load(900).reason, 'Disabled');
  assert.equal(web.n, 2);
  assert.equal(web.load(900).to, 9);
});

test('it waits until its own last change is visible, so that it does not scale twice', () => {
  const web = scenario(loaded, 2);
  assert.equal(web.load(900, { gate: { ownWriteVisible: false } }).reason, 'WaitingForOwnWrite');
  assert.equal(web.n, 2);
});

test('a target that cannot be read is held, and the reason says why', () => {
  const web = scenario(loaded, 4);
  web.load(400);
  const decision = web.load(900, { target: { ok: false, message: 'no such service' } });
  assert.equal(decision.reason, 'TargetUnreadable');
  assert.equal(decision.detail, 'no such service');
  assert.deepEqual([decision.from, decision.to, decision.action], [4, 4, 'none']);
});

test('a size that somebody else set is the new current one, and is not taken back at once', () => {
  const web = scenario({ metrics: [load(100)], behavior: { scaleDown: { safeAfter: false } } }, 3);
  web.load(300);
  const decision = web.load(300, { target: { ok: true, wanted: 8 }, instances: instances(8) });
  assert.equal(decision.record.outOfBand, true);
  assert.equal(decision.to, 8);
  assert.equal(decision.reason, 'Stabilized');
  assert.equal(web.load(300, { after: 290 }).to, 8);
  assert.equal(web.load(300, { after: 20 }).to, 3);
});

test('zero set by hand is respected, whatever the metrics say', () => {
  const web = scenario({ ...loaded, minReplicas: 0 }, 3);
  web.load(300);
  for (let round = 0; round < 3; round += 1) {
    const decision = web.load(900, { target: { ok: true, wanted: 0 }, instances: [] });
    assert.equal(decision.reason, 'DisabledByHand');
    assert.equal(decision.to, 0);
  }
});

test('outside the bounds it goes back at once, without reading metrics', () => {
  const web = scenario({ ...loaded, minReplicas: 2 }, 20);
  const down = web.tick();
  assert.deepEqual([down.to, down.reason, down.record.metrics.length], [10, 'Bounds', 0]);
  const up = web.tick({ target: { ok: true, wanted: 1 } });
  assert.deepEqual([up.to, up.reason], [2, 'Bounds']);
});

test('a size set by hand holds until it expires, also below the minimum, never above the maximum', () => {
  const web = scenario({ ...loaded, minReplicas: 2 }, 4);
  const untilWallMs = noon + 60_000;
  assert.deepEqual(pick(web.load(900, { controls: { override: { replicas: 1, untilWallMs } } })), [
    1,
    'Override',
  ]);
  assert.deepEqual(pick(web.load(900, { controls: { override: { replicas: 99, untilWallMs } } })), [
    10,
    'Override',
  ]);
  assert.deepEqual(pick(web.load(800, { after: 60, controls: { override: { replicas: 1, untilWallMs } } })), [
    8,
    'MetricsBelow',
  ]);
});

test('a pause holds one direction, both, or a size, and may end by itself', () => {
  const at = (mode: 'in' | 'out' | 'both', value: number): number =>
    scenario(loaded, 5).load(value, { controls: { pause: { pause: { mode } } } }).to;
  assert.deepEqual([at('in', 200), at('in', 800)], [5, 8]);
  assert.deepEqual([at('out', 200), at('out', 800)], [2, 5]);
  assert.deepEqual([at('both', 200), at('both', 800)], [5, 5]);
  assert.deepEqual(pick(scenario({ ...loaded, pause: { at: 3 } }, 5).load(800)), [3, 'PausedAt']);
  const web = scenario({ ...loaded }, 5);
  const pause = { pause: { mode: 'both' } as const, untilWallMs: noon + 20_000 };
  assert.deepEqual(pick(web.load(800, { controls: { pause } })), [5, 'Paused']);
  assert.deepEqual(pick(web.load(800, { controls: { pause } })), [8, 'MetricsAbove']);
});

test('ages follow the monotonic clock: a wall clock that jumps changes nothing', () => {
  const web = scenario({ metrics: [load(100)], behavior: { scaleDown: { safeAfter: false } } }, 5);
  web.load(500);
  web.wallMs += 86_400_000;
  assert.deepEqual(pick(web.load(100)), [5, 'Stabilized']);
  web.wallMs -= 2 * 86_400_000;
  assert.deepEqual(pick(web.load(100)), [5, 'Stabilized']);
});

function pick({ to, reason }: { to: number; reason: string }): [number, string] {
  return [to, reason];
}

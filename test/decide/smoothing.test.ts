// From what is wanted to what may be done now: windows, "would the rest cope?", cooldowns, rates, and what a restart must not do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectiveBounds } from '../../coordinator/decide/bounds.ts';
import { emptyState } from '../../coordinator/decide/state.ts';
import { atOnce, load, scenario } from './scenario.ts';

const gentle = { metrics: [load(100)], behavior: { scaleDown: { safeAfter: false } } };

test('down only to the largest recommendation of the down window, and after it', () => {
  const web = scenario(gentle, 6);
  web.load(600);
  assert.deepEqual([web.load(200).to, web.load(400).to], [6, 6]);
  assert.equal(web.load(100, { after: 269 }).to, 6);
  assert.equal(web.load(100, { after: 2 }).to, 4);
});

test('up only to the smallest recommendation of the up window', () => {
  const behavior = { scaleUp: { stabilizationWindowSeconds: 60, policies: [] }, growthCap: { factor: 100 } };
  const web = scenario({ metrics: [load(100)], behavior }, 2);
  assert.equal(web.load(500).to, 2);
  assert.equal(web.load(500, { after: 61 }).to, 5);
  assert.equal(web.load(800, { after: 59 }).to, 5);
  assert.equal(web.load(800, { after: 2 }).to, 8);
});

test('a restarted process that lost its state does not go down for a full window', () => {
  const web = scenario(gentle, 6);
  web.load(600);
  web.state = emptyState;
  web.restart();
  assert.deepEqual([web.load(100).to, web.load(100, { after: 290 }).to], [6, 6]);
  assert.equal(web.load(100, { after: 10 }).to, 1);
});

test('stored history survives a restart: the window goes on where it was', () => {
  const web = scenario(gentle, 6);
  web.load(600);
  web.load(100, { after: 200 });
  web.restart(30);
  assert.equal(web.load(100, { after: 30 }).to, 6);
  assert.equal(web.load(100, { after: 45 }).to, 1);
});

test('after a silence as long as the window, one sample is not enough to go down', () => {
  const web = scenario(gentle, 6);
  web.load(600);
  web.restart(900);
  assert.equal(web.load(100).to, 6);
});

test('a policy that is evaluated less often than its window is long still goes down', () => {
  const web = scenario({ ...gentle, interval: '10m' }, 6);
  web.load(600, { after: 600 });
  assert.equal(web.load(100, { after: 600 }).to, 1);
});

test('a step down stops where the rest would be loaded so much that it had to come back', () => {
  const web = (safeAfter: number | false) =>
    scenario(
      {
        metrics: [load(100)],
        behavior: { scaleDown: { stabilizationWindowSeconds: 0, policies: [], safeAfter } },
      },
      10,
    );
  assert.equal(web(false).load(500).to, 5);
  // 500 / 5 is at the target; below 0.9 x 110 it takes six.
  const careful = web(0.9).load(500);
  assert.deepEqual([careful.to, careful.limits], [6, ['WouldNotCope']]);
  assert.equal(web(0.9).load(490).to, 5);
});

test('cooldowns count per direction: an up is allowed at once after a down, and the other way round not', () => {
  const behavior = {
    ...atOnce,
    scaleUp: { policies: [], cooldown: '60s' },
    scaleDown: { ...atOnce.scaleDown, cooldown: '120s' },
  };
  const web = scenario({ metrics: [load(100)], behavior }, 5);
  assert.equal(web.load(300).to, 3);
  assert.equal(web.load(500).to, 5);
  const up = web.load(800);
  assert.deepEqual([up.to, up.reason], [5, 'Cooldown']);
  assert.equal(web.load(300, { after: 100 }).to, 5);
  assert.equal(web.load(800, { after: 1 }).to, 8);
  assert.equal(web.load(300, { after: 121 }).to, 3);
});

test('a critical alert ignores the cooldown upwards', () => {
  const behavior = { ...atOnce, scaleUp: { policies: [], cooldown: '60s' } };
  const web = scenario({ metrics: [load(100)], behavior }, 5);
  web.load(600);
  const alerts = [{ fingerprint: 'a', name: 'down', severity: 'critical', ageMs: 0 }];
  assert.equal(web.load(900, { alerts }).to, 9);
});

test('cooldowns survive a restart', () => {
  const behavior = { ...atOnce, scaleUp: { policies: [], cooldown: '600s' } };
  const web = scenario({ metrics: [load(100)], behavior }, 5);
  web.load(600);
  web.restart(60);
  assert.equal(web.load(900).reason, 'Cooldown');
});

test('rates count from the size at the start of the period, and the default is 4 or 100 % in 15 s', () => {
  const web = scenario({ maxReplicas: 100, metrics: [load(100)] }, 1);
  const sizes = [1, 15, 15, 15].map((after) => web.load(9000, { after }).to);
  assert.deepEqual(sizes, [5, 10, 20, 40]);
  const fast = scenario({ maxReplicas: 100, metrics: [load(100)] }, 3);
  assert.deepEqual(
    [1, 1, 1, 13].map((after) => fast.load(9000, { after }).to),
    [7, 7, 7, 14],
  );
});

test('without rate policies a step up is capped at twice the size, or 4', () => {
  const web = scenario(
    { maxReplicas: 100, metrics: [load(100)], behavior: { scaleUp: { policies: [] } } },
    1,
  );
  const steps = [1, 2, 3].map(() => web.load(9000));
  assert.deepEqual(
    steps.map(({ to }) => to),
    [4, 8, 16],
  );
  assert.deepEqual(steps[0]?.limits, ['GrowthCap']);
});

test('a direction that is disabled is frozen', () => {
  const web = scenario(
    {
      metrics: [load(100)],
      behavior: { ...atOnce, scaleDown: { ...atOnce.scaleDown, selectPolicy: 'Disabled' } },
    },
    6,
  );
  assert.deepEqual([web.load(100).to, web.load(800).to], [6, 8]);
});

test('the steady preset rises by the larger of 100 % and 2, and falls by the smaller of 50 % and 1', () => {
  const metrics = [load(100)];
  const web = scenario({ preset: 'steady', maxReplicas: 40, metrics }, 1);
  assert.deepEqual(
    [1, 30, 30].map((after) => web.load(4000, { after }).to),
    [3, 6, 12],
  );
  for (let second = 0; second < 270; second += 30) assert.equal(web.load(100, { after: 30 }).to, 12);
  const down = [30, 60, 60].map((after) => web.load(100, { after }).to);
  assert.deepEqual(down, [11, 10, 9]);
});

test('bounds and reasons name what held a step back', () => {
  const web = scenario({ metrics: [load(100)], behavior: atOnce, minReplicas: 2 }, 5);
  assert.deepEqual(web.load(9000).limits, ['AtMaximum']);
  assert.deepEqual(web.load(0).limits, ['AtMinimum']);
  assert.deepEqual(effectiveBounds({ minReplicas: 2, maxReplicas: 9, schedules: [] }, 0, 0).low, 2);
});

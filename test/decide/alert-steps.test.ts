// Steps by alert over time: one that fires again asks again, and none moves the size against its own direction.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Alert } from '../../coordinator/decide/alerts.ts';
import { alertsBehind } from '../../coordinator/decide/alerts-behind.ts';
import { explain } from '../../coordinator/decide/explain.ts';
import { atOnce, load, scenario, total } from './scenario.ts';
import { checked } from './seed.ts';

const alerts = { name: 'alerts', target: { type: 'Alert', ttl: '1h' } };
const up = (firing: string): Alert => ({ fingerprint: 'up', name: 'busy', firing, step: 1, ageMs: 0 });
const down = (firing: string): Alert => ({ fingerprint: 'down', name: 'idle', firing, step: -1, ageMs: 0 });

test('an alert that fires again asks again, whether an evaluation fell between its firings or not', () => {
  const web = scenario({ metrics: [alerts], behavior: atOnce }, 2);
  assert.equal(web.tick({ alerts: [up('one')] }).to, 3);
  assert.equal(web.tick({ alerts: [up('one')] }).to, 3, 'the same firing asks once');
  assert.equal(web.tick({ alerts: [up('two')] }).to, 4);
  web.tick({ alerts: [] });
  assert.equal(web.tick({ alerts: [up('three')] }).to, 5);
});

test('the same after a restart: what is stored of the last firing is not taken for this one', () => {
  const web = scenario({ metrics: [alerts], behavior: atOnce }, 2);
  web.tick({ alerts: [up('one')] });
  web.restart(60);
  assert.equal(web.tick({ alerts: [up('one')] }).to, 3);
  web.n = 6;
  web.restart(60);
  assert.equal(web.tick({ alerts: [up('two')] }).to, 7);
});

test('an alert that asks for more lowers nothing when somebody else has raised the size', () => {
  const web = scenario({ metrics: [alerts], behavior: atOnce }, 2);
  web.tick({ alerts: [up('one')] });
  web.n = 6;
  const held = web.tick({ alerts: [up('one')] });
  assert.deepEqual([held.to, held.reason], [6, 'NoProposal']);
  assert.match(explain(held.record), /alerts: active alerts -> at least 3/);
});

test('an alert that asks for less raises nothing when somebody else has lowered the size', () => {
  const web = scenario({ metrics: [alerts], behavior: atOnce }, 6);
  assert.equal(web.tick({ alerts: [down('one')] }).to, 5);
  web.n = 2;
  assert.equal(web.tick({ alerts: [down('one')] }).to, 2);
  assert.equal(web.tick({ alerts: [down('two')] }).to, 1, 'its next firing asks from here');
});

test('beside other metrics it is a floor: they may lower the size as far as that, and it is not behind it', () => {
  const web = scenario({ metrics: [load(100), alerts], behavior: atOnce }, 2);
  const at = (value: number) => web.tick({ readings: { load: total(value) }, alerts: [up('one')] });
  const first = at(200);
  assert.equal(first.to, 3);
  assert.deepEqual(
    alertsBehind(first.record).map(({ fingerprint }) => fingerprint),
    ['up'],
  );
  assert.equal(at(600).to, 6);
  const back = at(100);
  assert.equal(back.to, 3);
  assert.deepEqual(alertsBehind(back.record), []);
  web.n = 6;
  const blind = web.tick({ readings: {}, alerts: [up('one')] });
  assert.equal(blind.to, 6, 'a metric that cannot be read has no say');
});

test('an alert that asks for less goes down beside one that asks for more, no further than the floor', () => {
  const web = scenario({ metrics: [alerts], behavior: atOnce }, 2);
  web.tick({ alerts: [up('one')] });
  web.n = 6;
  const both = [up('one'), { ...down('one'), step: -5 }];
  assert.equal(web.tick({ alerts: both }).to, 3);
});

test('whoever else changes the size, and however alerts come and go: none moves it against its direction', () => {
  const moment = fc.record({
    /** By somebody else's hand. */
    size: fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
    firing: fc.array(
      fc.record({ name: fc.constantFrom('a', 'b', 'c'), which: fc.integer({ min: 1, max: 3 }) }),
      {
        maxLength: 3,
      },
    ),
    step: fc.integer({ min: 1, max: 3 }),
    after: fc.constantFrom(1, 15, 400),
  });
  const run = (
    direction: 1 | -1,
    moments: readonly (typeof moment extends fc.Arbitrary<infer T> ? T : never)[],
  ) => {
    const web = scenario({ metrics: [alerts], behavior: atOnce }, 5);
    for (const { size, firing, step, after } of moments) {
      web.n = size ?? web.n;
      const { n } = web;
      const active = firing.map(({ name, which }) => ({
        fingerprint: name,
        name,
        firing: `${name}${which}`,
        step: direction * step,
        ageMs: 0,
      }));
      const { to } = web.tick({ alerts: active, after });
      if (direction === 1 ? to < n : to > n) return false;
    }
    return true;
  };
  checked(
    fc.property(fc.constantFrom(1 as const, -1 as const), fc.array(moment, { maxLength: 25 }), run),
    300,
  );
});

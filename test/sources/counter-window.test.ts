import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { addSample, emptyWindow, growthOf } from '../../coordinator/sources/counter-window.ts';

const sample = (at: number, requests: number, process = '1') => ({ at, process, counters: { requests } });
const windowMs = 10_000;

function after(...samples: ReturnType<typeof sample>[]) {
  return growthOf(samples.reduce((window, next) => addSample(window, next, windowMs), emptyWindow));
}

test('one look gives no rate', () => {
  assert.equal(after(sample(0, 100)), undefined);
});

test('two looks give the growth between them, also when they are further apart than the window', () => {
  assert.deepEqual(after(sample(0, 100), sample(60_000, 700)), {
    counters: { requests: 600 },
    elapsedMs: 60_000,
  });
});

test('only the window counts: what grew before it is left out', () => {
  const growth = after(sample(0, 0), sample(5000, 1000), sample(10_000, 1000), sample(15_000, 1010));
  assert.deepEqual(growth, { counters: { requests: 10 }, elapsedMs: 10_000 });
});

test('after a reset the rate from before is kept for one look, then the new process counts', () => {
  const before = [sample(0, 0), sample(1000, 50)];
  assert.deepEqual(after(...before, sample(2000, 3, '2')), { counters: { requests: 50 }, elapsedMs: 1000 });
  assert.deepEqual(after(...before, sample(2000, 3, '2'), sample(3000, 13, '2')), {
    counters: { requests: 10 },
    elapsedMs: 1000,
  });
});

test('counters that went back are a reset, though the process says it is the same', () => {
  assert.deepEqual(after(sample(0, 0), sample(1000, 50), sample(2000, 10)), {
    counters: { requests: 50 },
    elapsedMs: 1000,
  });
});

test('two resets in a row leave nothing to go by', () => {
  assert.equal(after(sample(0, 0), sample(1000, 50), sample(2000, 3, '2'), sample(3000, 3, '3')), undefined);
});

test('an answer that was seen already adds nothing', () => {
  assert.deepEqual(after(sample(0, 0), sample(1000, 50), sample(1000, 50)), {
    counters: { requests: 50 },
    elapsedMs: 1000,
  });
});

test('whatever restarts and whenever: growth is never negative, and the samples kept stay few', () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 30_000 }),
    grown: fc.integer({ min: 0, max: 1000 }),
    restarts: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let window = emptyWindow;
      let at = 0;
      let requests = 0;
      let process = 0;
      for (const { afterMs, grown, restarts } of steps) {
        at += afterMs;
        if (restarts) process += 1;
        requests = restarts ? grown : requests + grown;
        window = addSample(window, sample(at, requests, String(process)), windowMs);
        const growth = growthOf(window);
        if (growth === undefined) continue;
        assert.ok((growth.counters['requests'] ?? -1) >= 0);
        assert.ok(growth.elapsedMs > 0);
        const [, second] = window.samples;
        if (second !== undefined)
          assert.ok(at - second.at < windowMs, 'at most one sample is older than the window');
      }
    }),
  );
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { loadSpan, presetRival } from '../../coordinator/simulate/comparison.ts';
import { noise } from '../../coordinator/simulate/noise.ts';
import { chooseModel } from '../../coordinator/simulate/service-model.ts';
import { simulate } from '../../coordinator/simulate/simulate.ts';
import { madeTrace, type TraceName, traceNames } from '../../coordinator/simulate/trace.ts';
import { checked } from '../decide/seed.ts';
import { admittedOf, byHaproxy } from './policies.ts';

const quick = traceNames.filter((name) => name !== 'daily');
const rate = admittedOf({ metrics: [byHaproxy('requestRate', 100)] });
const sessions = admittedOf({ minReplicas: 2, metrics: [byHaproxy('sessions', 10)] });

function run(
  name: TraceName,
  admitted = sessions,
  given: Parameters<typeof simulate>[3] = {},
  capacity?: number,
) {
  const model = chooseModel(admitted, capacity === undefined ? {} : { capacity });
  return simulate(admitted, madeTrace(name, loadSpan(admitted, model)), model, given);
}

describe('a simulation', () => {
  it('never leaves the bounds, whatever the load, the bounds and the seed', () => {
    const property = fc.property(
      fc.constantFrom(...quick),
      fc.constantFrom('sessions' as const, 'requestRate' as const),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 0, max: 12 }),
      fc.nat(1000),
      (name, what, minReplicas, more, seed) => {
        const maxReplicas = minReplicas + more;
        const admitted = admittedOf({ minReplicas, maxReplicas, metrics: [byHaproxy(what, 25)] });
        const { samples, summary } = run(name, admitted, { seed });
        for (const { t, desired, ready } of samples) {
          assert.ok(desired >= minReplicas && desired <= maxReplicas, `${name} at ${t}: ${desired}`);
          assert.ok(ready <= maxReplicas);
        }
        assert.ok(summary.largest <= maxReplicas);
      },
    );
    checked(property, 25);
  });

  it('is the same again for the same seed, and another one for another', () => {
    assert.deepEqual(run('ramp', sessions, { seed: 7 }), run('ramp', sessions, { seed: 7 }));
    assert.notDeepEqual(
      run('ramp', sessions, { seed: 7 }).samples,
      run('ramp', sessions, { seed: 8 }).samples,
    );
  });

  it('with more capacity never has more seconds in which load waits', () => {
    const property = fc.property(
      fc.constantFrom(...quick),
      fc.integer({ min: 100, max: 300 }),
      fc.integer({ min: 0, max: 300 }),
      (name, capacity, more) => {
        const trace = madeTrace(name, { base: 200, peak: 1000 });
        const of = (one: number) => simulate(rate, trace, { ...chooseModel(rate), capacity: one }).summary;
        const [less, all] = [of(capacity), of(capacity + more)];
        assert.ok(all.secondsSaturated <= less.secondsSaturated);
        assert.ok(all.secondsUnderTarget <= less.secondsUnderTarget);
      },
    );
    checked(property, 15);
  });

  it('with a shorter start-up time is not longer under its target', () => {
    const model = chooseModel(rate);
    const trace = madeTrace('step', loadSpan(rate, model));
    const seconds = [0, 4000, 8000, 30_000].map(
      (startMs) => simulate(rate, trace, { ...model, startMs }).summary.secondsUnderTarget,
    );
    assert.deepEqual(
      seconds,
      seconds.toSorted((a, b) => a - b),
    );
    assert.ok((seconds[3] ?? 0) > (seconds[0] ?? 0));
  });

  it('does not go down while its sources are away, or one of two proxies is', () => {
    for (const name of ['outage', 'partial-outage'] as const) {
      const { changes } = run(name);
      const { disturbances } = madeTrace(name, { base: 1, peak: 2 });
      const [wrong] = disturbances;
      assert.ok(wrong !== undefined);
      const during = changes.filter(({ t }) => t >= wrong.fromMs && t < wrong.toMs);
      assert.deepEqual(
        during.filter(({ from, to }) => to < from),
        [],
        name,
      );
    }
  });

  it('decides nothing during a restart, and a policy that forgot waits for its whole window again', () => {
    const kept = run('restart');
    const forgot = run('restart', sessions, { keepsState: false });
    const lastDown = ({ changes }: typeof kept) => changes.findLast(({ from, to }) => to < from)?.t ?? 0;
    assert.ok(kept.changes.every(({ t }) => t < 660_000 || t >= 670_000));
    assert.ok(lastDown(forgot) > lastDown(kept));
    assert.ok(forgot.summary.instanceHours > kept.summary.instanceHours);
  });

  it('accounts for all load: what came was served, waits, or gave up', () => {
    const model = { ...chooseModel(sessions), startMs: 60_000 };
    const trace = madeTrace('spike', { base: 100, peak: 4000 });
    const { summary, samples } = simulate(sessions, trace, model, { noise: 0 });
    assert.ok(summary.givenUp > 0);
    assert.ok(summary.maxQueue <= (4000 * (model.queueTimeoutMs ?? 0)) / 1000);
    assert.equal(samples.at(-1)?.queue, 0);
  });

  it('reacts sooner than the plain HPA on the same metric, on every load', () => {
    const model = chooseModel(sessions);
    const { admitted, options } = presetRival('hpa', sessions, model);
    for (const name of quick) {
      const trace = madeTrace(name, loadSpan(sessions, model));
      const own = simulate(sessions, trace, model).summary.secondsUnderTarget;
      const plain = simulate(admitted, trace, model, options).summary.secondsUnderTarget;
      assert.ok(own < plain, `${name}: ${own} s and ${plain} s`);
    }
  });

  it('runs policies of every kind of source', () => {
    const sources = [
      { type: 'docker', what: 'memory' },
      { type: 'agent', metric: 'jobs' },
      { type: 'prometheus', url: 'http://p', query: 'q' },
      { type: 'rabbitmq', url: 'http://r', queue: 'q' },
      { type: 'rabbitmq', url: 'http://r', queue: 'q', what: 'ackRate' },
      { type: 'redis', url: 'redis://r', key: 'k' },
      { type: 'haproxy', what: 'queue' },
    ];
    for (const source of sources) {
      const { summary } = run(
        'step',
        admittedOf({
          metrics: [{ name: 'one', source, target: { type: 'AverageValue', averageValue: 10 } }],
        }),
      );
      assert.ok(summary.evaluations > 50, JSON.stringify(source));
    }
    const cpu = admittedOf({
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
        },
      ],
    });
    assert.ok(run('ramp', cpu).summary.largest >= 9);
  });
});

describe('made loads', () => {
  it('stay between their base and their peak, and reach both', () => {
    for (const name of traceNames) {
      const { load, durationMs } = madeTrace(name, { base: 10, peak: 50 });
      const values = Array.from({ length: 2000 }, (_, index) => load((index / 2000) * durationMs));
      assert.ok(Math.min(...values) >= 10 && Math.min(...values) < 10.5, name);
      assert.ok(Math.max(...values) <= 50 && Math.max(...values) > 49.5, name);
    }
  });

  it('begin again when they are to last longer, with what goes wrong', () => {
    const { load, disturbances } = madeTrace('outage', { base: 0, peak: 1 }, 40 * 60_000);
    assert.equal(load(5 * 60_000), load(25 * 60_000));
    assert.deepEqual(
      disturbances.map(({ fromMs }) => fromMs),
      [240_000, 1_440_000],
    );
  });

  it('vary evenly around the shape', () => {
    const values = Array.from({ length: 10_000 }, (_, second) => noise(3, second));
    assert.ok(values.every((value) => value >= -1 && value <= 1));
    assert.ok(Math.abs(values.reduce((sum, value) => sum + value, 0) / values.length) < 0.05);
    assert.ok(new Set(values).size > 9900);
  });
});

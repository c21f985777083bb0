import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseTrace } from '../../coordinator/simulate/parse-trace.ts';

describe('a recorded load', () => {
  it('is read from CSV and JSON alike, with seconds or times', () => {
    const texts = [
      'time,load\n0,10\n60,20\n120,0\n',
      '# a comment\n0;10\r\n60;20\r\n120;0\r\n',
      '"2026-01-31T12:00:00Z","10"\n2026-01-31T12:01:00Z,20\n2026-01-31T12:02:00Z,0',
      '[[0, 10], [60, 20], [120, 0]]',
      '[{"time": "2026-01-31T12:00:00Z", "load": 10}, {"time": "2026-01-31T12:01:00Z", "load": 20}, {"time": "2026-01-31T12:02:00Z", "load": 0}]',
    ];
    for (const text of texts) {
      const { durationMs, load, disturbances } = parseTrace(text, 'load.csv');
      assert.equal(durationMs, 120_000);
      assert.deepEqual([0, 30_000, 60_000, 90_000, 120_000].map(load), [10, 15, 20, 10, 0]);
      assert.deepEqual(disturbances, []);
    }
  });

  it('has its sources away where a row has no load', () => {
    const { disturbances, load } = parseTrace('0,10\n60,\n90,\n120,40', 'load.csv');
    assert.deepEqual(disturbances, [
      { kind: 'away', fromMs: 60_000, toMs: 90_000 },
      { kind: 'away', fromMs: 90_000, toMs: 120_000 },
    ]);
    assert.equal(load(60_000), 25);
  });

  it('is refused with the row that is wrong', () => {
    const wrong: [string, RegExp][] = [
      ['', /load\.csv: a trace needs two rows/],
      ['time,load\n0,1', /two rows/],
      ['0,1\n60,many', /load\.csv:2: its load is "many"/],
      ['0,1\n60,-1', /load\.csv:2: its load is "-1"/],
      ['0,1\n60,Infinity', /load\.csv:2: its load/],
      ['0,1\n1st,2', /load\.csv:2: its time is "1st"/],
      ['0,1\n60,2\n60,3', /load\.csv:3: its time is not after the one before: 60/],
      ['0,\n60,', /no row has a load/],
      ['[[0, 1], [60]]', /row 2: it is not \[time, load\]/],
      ['[[0, 1]', /it is not JSON/],
    ];
    for (const [text, message] of wrong)
      assert.throws(() => parseTrace(text, 'load.csv'), { message, code: 'config.invalid' }, text);
  });
});

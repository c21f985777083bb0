import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { decide } from '../../coordinator/decide/decide.ts';
import { emptyState } from '../../coordinator/decide/state.ts';
import { temporaryFolder } from '../coordinator/coordinator-bench.ts';
import { runBerth } from '../coordinator/run-berth.ts';
import { instances, load, policyOf, total } from '../decide/scenario.ts';

const policy = (name: string, averageValue = 10) => `name: ${name}
maxReplicas: 8
metrics:
  - name: load
    source: {type: haproxy, what: requestRate}
    target: {type: AverageValue, averageValue: ${averageValue}}
`;

describe('berth simulate', () => {
  it('shows a chart for each policy and one table, and writes an SVG', async (t) => {
    const folder = temporaryFolder(t, 'berth-simulate-');
    const [file, svg] = [join(folder, 'web.yaml'), join(folder, 'web.svg')];
    writeFileSync(file, policy('web'));
    const { code, out, errors } = await runBerth([
      'simulate',
      file,
      '--load',
      'spike',
      '--against',
      'hpa',
      '--svg',
      svg,
    ]);
    assert.equal(errors, '');
    assert.equal(code, 0);
    assert.match(
      out,
      /^load spike for 15:00; one instance serves 12\.5 a second, 10 at its target, after 8s\n/,
    );
    assert.equal(out.split('█ ready').length, 3);
    assert.match(
      out,
      /\nPOLICY +EVERY +LARGEST +OVERSHOOT +S UNDER TARGET +S SATURATED +MAX QUEUE +GIVEN UP +CHANGES +INSTANCE-HOURS\nweb +1s .*\nplain HPA, 15 s +15s .*\n/,
    );
    assert.match(readFileSync(svg, 'utf8'), /^<svg /);
    assert.equal(
      (await runBerth(['simulate', file, '--load', 'spike', '--against', 'hpa', '--svg', svg])).out,
      out,
    );
  });

  it('gives everything as JSON, and takes a recording, another policy, and another service', async (t) => {
    const folder = temporaryFolder(t, 'berth-simulate-');
    const [file, other, recorded] = ['a.yaml', 'b.yaml', 'load.csv'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(file, policy('web'));
    writeFileSync(other, policy('web', 5));
    writeFileSync(recorded, 'time,load\n0,10\n120,40\n240,\n300,10\n');
    const args = [
      '--against',
      other,
      '--load',
      recorded,
      '--capacity',
      '20',
      '--start-time',
      '2s',
      '--seed',
      '4',
      '-o',
      'json',
    ];
    const found = JSON.parse((await runBerth(['simulate', file, ...args])).out);
    assert.equal(found.load.durationMs, 300_000);
    assert.deepEqual(found.load.disturbances, [{ kind: 'away', fromMs: 240_000, toMs: 300_000 }]);
    assert.deepEqual([found.model.capacity, found.model.startMs], [20, 2000]);
    const [own, second] = found.policies;
    assert.equal(second.title, `web (${other})`);
    assert.ok(second.summary.largest > own.summary.largest);
    assert.equal(own.changes[0].from, 1);
  });

  it('decides stored records again, and shows where another policy goes another way', async (t) => {
    const folder = temporaryFolder(t, 'berth-simulate-');
    const [file, records] = [join(folder, 'web.yaml'), join(folder, 'decisions.json')];
    writeFileSync(file, policy('web', 40));
    const made = [10, 60, 90].map((value, index) => {
      const now = { wallMs: Date.UTC(2026, 0, 1) + index * 1000, monoMs: index * 1000, run: 'a' };
      const observations = {
        target: { ok: true as const, wanted: 3 },
        instances: instances(3),
        readings: { load: total(value) },
      };
      return {
        record: decide(policyOf({ metrics: [load(20)] }), emptyState, observations, now).decision.record,
      };
    });
    writeFileSync(records, JSON.stringify({ items: made.toReversed() }));
    const { code, out } = await runBerth(['simulate', file, '--replay', records]);
    assert.equal(code, 0);
    const lines = out.split('\n');
    assert.match(lines[1] ?? '', /^2026-01-01T00:00:00\.000Z +3 +3 +\w+ +3 +\w+ +same$/);
    assert.match(lines[3] ?? '', /^2026-01-01T00:00:02\.000Z +3 +5 +MetricsAbove +3 +\w+ +differs$/);
    assert.match(out, /\n1 of 3 would have come out another way\n {2}web: stays at 3/);
    const json = JSON.parse((await runBerth(['simulate', file, '--replay', records, '-o', 'json'])).out);
    assert.deepEqual(
      json.items.map((item: { differs: boolean }) => item.differs),
      [false, false, true],
    );
  });

  it('says what is wrong with what it was given', async (t) => {
    const folder = temporaryFolder(t, 'berth-simulate-');
    const [file, two, broken, junk] = ['a.yaml', 'two.yaml', 'broken.yaml', 'junk.json'].map((name) =>
      join(folder, name),
    ) as [string, string, string, string];
    writeFileSync(file, policy('web'));
    writeFileSync(two, `policies:\n  - {name: a, maxReplicas: 1}\n  - {name: b, maxReplicas: 1}\n`);
    writeFileSync(broken, policy('web').replace('maxReplicas', 'maxReplica'));
    writeFileSync(junk, '{"items": [{"record": {"version": 1}}]}');
    const cases: [string[], number, RegExp][] = [
      [['simulate', join(folder, 'none.yaml')], 64, /ENOENT.*is the path right/],
      [['simulate', two], 64, /has 2 policies: a, b \(choose one with --policy\)/],
      [['simulate', two, '--policy', 'c'], 64, /has no policy c \(it has a, b\)/],
      [['simulate', broken], 1, /broken\.yaml:2:1: .*maxReplica/],
      [['simulate', file, '--load', 'stairs'], 64, /--load is "stairs".*choose one of step, ramp/],
      [['simulate', file, '--start-time', 'soon'], 64, /Give a duration such as/],
      [['simulate', file, '--capacity', '0'], 64, /Give a number above 0/],
      [['simulate', file, '--svg', join(folder, 'none', 'x.svg')], 64, /--svg: ENOENT/],
      [['simulate', file, '--replay', junk], 64, /holds no decision records of this version/],
      [['simulate', file, '--replay', junk, '--replay-service', 'web'], 64, /cannot be used with/],
    ];
    for (const [args, code, message] of cases) {
      const result = await runBerth(args);
      assert.match(result.errors, message);
      assert.equal(result.code, code, args.join(' '));
    }
  });
});

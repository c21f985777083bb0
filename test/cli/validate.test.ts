// Positions are checked to the column: an editor jumps there.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../coordinator/coordinator-bench.ts';
import { runBerth } from '../coordinator/run-berth.ts';

const good = `policies:
  - name: web
    maxReplicas: 4
    metrics:
      - source: {type: haproxy, what: sessions}
        target: {type: AverageValue, averageValue: 10}
`;

interface Case {
  what: string;
  text: string;
  /** After the file's name. */
  expected: RegExp[];
}

const wrong: Case[] = [
  {
    what: 'a misspelt key',
    text: good.replace('maxReplicas', 'maxReplica'),
    expected: [/^:3:5: .*maxReplica.*maxReplicas/],
  },
  {
    what: 'a value of the wrong type',
    text: good.replace('maxReplicas: 4', 'maxReplicas: four'),
    expected: [/^:3:18: policies\[0\]\.maxReplicas|^:3:18: maxReplicas/],
  },
  {
    what: 'bounds that contradict each other',
    text: good.replace('maxReplicas: 4', 'minReplicas: 9\n    maxReplicas: 4'),
    expected: [/^:\d+:\d+: m(?:in|ax)Replicas: /],
  },
  {
    what: 'an unknown source',
    text: good.replace('what: sessions', 'what: session'),
    expected: [/^:5:39: metrics\[0\]\.source\.what: .*sessions/],
  },
  {
    what: 'a target of 0',
    text: good.replace('averageValue: 10', 'averageValue: 0'),
    expected: [/^:6:52: metrics\[0\]\.target\.averageValue: /],
  },
  {
    what: 'an expression over a metric that is not there',
    text: `${good}    combine: max(sessions, cpu)\n`,
    expected: [/^:7:\d+: combine: .*cpu/],
  },
  {
    what: 'a second policy for the same service',
    text: `${good}  - name: other\n    service: web\n    maxReplicas: 2\n    metrics: [{source: {type: agent, metric: x}, target: {type: AverageValue, averageValue: 1}}]\n`,
    expected: [/^:7:11: name: policy "web" already scales the service "web" \(a service takes one policy\)$/],
  },
  { what: 'no YAML', text: 'policies:\n  - name: [web\n', expected: [/^:\d+:\d+: /] },
  { what: 'no policy at all', text: 'rules: []\n', expected: [/^:1:1: there are no policies/] },
  {
    what: 'two faults at once',
    text: good.replace('maxReplicas: 4', 'maxReplicas: 0\n    warmup: soon'),
    expected: [/^:3:18: /, /^:4:13: warmup: "soon" is not a duration/],
  },
];

describe('berth validate', () => {
  it('is silent about nothing and names the policies of a file that is right', async (t) => {
    const file = join(temporaryFolder(t, 'berth-validate-'), 'good.yaml');
    writeFileSync(file, good);
    assert.deepEqual(await runBerth(['validate', file]), {
      code: 0,
      out: `${file}: web: fine\n`,
      errors: '',
    });
    const json = JSON.parse((await runBerth(['validate', file, '-o', 'json'])).out);
    assert.deepEqual(json.items, [{ file, policies: [{ name: 'web', service: 'web' }], errors: [] }]);
  });

  for (const { what, text, expected } of wrong) {
    it(`says where: ${what}`, async (t) => {
      const file = join(temporaryFolder(t, 'berth-validate-'), 'wrong.yaml');
      writeFileSync(file, text);
      const { code, out, errors } = await runBerth(['validate', file]);
      assert.equal(code, 1);
      assert.equal(errors, '');
      const lines = out.trimEnd().split('\n');
      assert.equal(lines.length, expected.length, out);
      expected.forEach((pattern, index) => {
        const line = lines[index] ?? '';
        assert.ok(line.startsWith(file), line);
        assert.match(line.slice(file.length), pattern);
      });
      const json = JSON.parse((await runBerth(['validate', file, '-o', 'json'])).out);
      assert.equal(json.items[0].errors.length, expected.length);
    });
  }

  it('checks every file, and tells of one that cannot be read', async (t) => {
    const folder = temporaryFolder(t, 'berth-validate-');
    writeFileSync(join(folder, 'good.yaml'), good);
    const { code, out } = await runBerth(['validate', join(folder, 'none.yaml'), join(folder, 'good.yaml')]);
    assert.equal(code, 1);
    assert.match(out, /none\.yaml: it cannot be read: ENOENT.*\n.*good\.yaml: web: fine\n$/);
  });
});

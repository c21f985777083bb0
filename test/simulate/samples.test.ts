import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { admitFile, formatAdmissionError } from '../../coordinator/policy/admit.ts';
import { loadSpan } from '../../coordinator/simulate/comparison.ts';
import { chooseModel } from '../../coordinator/simulate/service-model.ts';
import { simulate } from '../../coordinator/simulate/simulate.ts';
import { madeTrace } from '../../coordinator/simulate/trace.ts';

const folder = join(import.meta.dirname, '../../examples/policies');

describe('sample policies', () => {
  for (const file of readdirSync(folder).sort()) {
    it(`${file} is admitted, says what it is for, and follows a load`, () => {
      const text = readFileSync(join(folder, file), 'utf8');
      const { admitted, errors } = admitFile(text, file);
      assert.deepEqual(errors.map(formatAdmissionError), []);
      assert.match(text, /^# /);
      assert.ok(admitted.length > 0);
      for (const policy of admitted) {
        const model = chooseModel(policy);
        const live = { ...policy, policy: { ...policy.policy, dryRun: false } };
        const { changes, samples } = simulate(live, madeTrace('step', loadSpan(policy, model)), model);
        assert.ok(
          changes.some(({ from, to }) => to > from),
          `${file} grows`,
        );
        assert.ok(samples.every(({ desired }) => desired <= policy.policy.maxReplicas));
      }
    });
  }
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chooseName } from '../../coordinator/targets/docker/choose-name.ts';
import { composeLabels } from '../../shared/labels.ts';

const plain = (name: string) => ({ name, labels: {} });
const composed = (name: string, number: string, service = 'web', oneOff = 'False') => ({
  name,
  labels: {
    [composeLabels.project]: 'shop',
    [composeLabels.service]: service,
    [composeLabels.number]: number,
    [composeLabels.oneOff]: oneOff,
  },
});
const nameFor = (origin: string, taken: readonly string[], convention?: string) =>
  chooseName({ origin: plain(origin), convention, taken: taken.map(plain) }).name;

describe('the name of a clone', () => {
  it('is that of the original with the next free number', () => {
    assert.equal(nameFor('web', ['web']), 'web_1');
    assert.equal(nameFor('web', ['web', 'web_1', 'web_2']), 'web_3');
    assert.equal(nameFor('web_1', ['web_1', 'web_3']), 'web_2');
    assert.equal(nameFor('web-7', ['web-7']), 'web-1');
    assert.equal(nameFor('web2', ['web2']), 'web2_1');
  });

  it('follows a convention, with or without its separator', () => {
    assert.equal(nameFor('focused_curie', [], 'webapp_'), 'webapp_1');
    assert.equal(nameFor('focused_curie', ['webapp_1'], 'webapp'), 'webapp_2');
    assert.equal(nameFor('focused_curie', [], 'webapp-'), 'webapp-1');
    for (const convention of ['', '_x', 'a b', 'a/b', 'x'.repeat(102), 'a;b'])
      assert.throws(() => nameFor('web', [], convention), /can begin with/);
  });

  it("is free by name and by number in a Compose project, beside other services' and one-off numbers", () => {
    const taken = [
      composed('shop-web-1', '1'),
      composed('renamed', '2'),
      composed('shop-db-1', '3', 'db'),
      composed('shop-web-run-1', '4', 'web', 'True'),
      plain('shop-web-5'),
    ];
    const origin = composed('shop-web-1', '1');
    assert.deepEqual(chooseName({ origin, taken }), { name: 'shop-web-3', number: 3 });
    const further = [...taken, composed('shop-web-3', '3'), composed('x', '4')];
    assert.deepEqual(chooseName({ origin, taken: further }), { name: 'shop-web-6', number: 6 });
    assert.equal(
      chooseName({ origin: composed('fixed', '1'), taken: [composed('fixed', '1')] }).name,
      'fixed-2',
    );
  });

  it('is never taken, and the lowest that is not', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 40 })), (numbers) => {
        const taken = numbers.map((number) => plain(`web_${number}`));
        const { name, number } = chooseName({ origin: plain('web_1'), taken });
        assert.equal(name, `web_${number}`);
        assert.ok(!numbers.includes(number));
        for (let lower = 1; lower < number; lower += 1) assert.ok(numbers.includes(lower));
      }),
    );
  });
});

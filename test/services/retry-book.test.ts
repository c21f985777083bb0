// When what failed may be tried again.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RetryBook } from '../../coordinator/services/retry-book.ts';

describe('the pause after a failure', () => {
  it('is 1, 2, 4 … 300 s, for each key by itself, and begins anew after a success', () => {
    const book = new RetryBook();
    let now = 0;
    const pauses: number[] = [];
    for (let count = 0; count < 11; count += 1) {
      book.failed('web', 'no image', now);
      const forMs = book.waits('web', now)?.forMs ?? assert.fail();
      pauses.push(forMs / 1000);
      now += forMs;
      assert.equal(book.waits('web', now), undefined);
    }
    assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert.equal(book.waits('shop', now), undefined);
    book.succeeded('web');
    book.failed('web', 'no image', now);
    assert.deepEqual(book.waits('web', now), { reason: 'no image', forMs: 1000 });
  });

  it('does not depend on how many tries were under way at once', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 }), (batches) => {
        const book = new RetryBook();
        let now = 0;
        for (const [index, size] of batches.entries()) {
          const begunAt = now;
          for (let count = 0; count < size; count += 1) book.failed('web', 'full', now + 1 + count, begunAt);
          now += 1 + size;
          const waits = book.waits('web', begunAt + 1) ?? assert.fail();
          assert.equal(waits.forMs, 1000 * 2 ** index);
          now = begunAt + 1 + waits.forMs;
        }
      }),
    );
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReplyReader } from '../../shared/haproxy/reply-reader.ts';

test('replies are the same however the bytes are cut', (t) => {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
  t.diagnostic(`seed ${seed}; repeat with FC_SEED=${seed}`);
  const text = fc
    .array(fc.constantFrom('a', 'é', '>', ' ', '\n', '[3]: ', '\n>', '> '), { maxLength: 12 })
    .map((pieces) => pieces.join(''))
    .filter((piece) => !`${piece}\n`.includes('\n> '));
  fc.assert(
    fc.property(
      fc.array(text, { maxLength: 8 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
      (texts, cuts) => {
        const bytes = Buffer.from(texts.map((reply) => `${reply}\n\n> `).join(''));
        const whole = new ReplyReader(texts.length);
        whole.push(bytes);
        const cut = new ReplyReader(texts.length);
        for (let at = 0; at < bytes.length; ) {
          const to = at + (cuts.next().value ?? 1);
          cut.push(bytes.subarray(at, to));
          at = to;
        }
        assert.deepEqual(cut.replies, whole.replies);
        assert.equal(cut.done, true);
        assert.deepEqual(
          cut.replies.map((reply) => reply.text),
          texts.map((reply) => reply.replace(/^\s*\[3\]: ?/, '').trim()),
        );
      },
    ),
    { seed, numRuns: 500 },
  );
});

test('what comes after the last expected reply is kept apart', () => {
  const reader = new ReplyReader(1);
  reader.push(Buffer.from('one\n\n> two\n'));
  assert.deepEqual(reader.replies, [{ severity: undefined, text: 'one' }]);
  assert.equal(reader.rest, 'two\n');
});

// A value that something else posts to /api/v1/metrics. Its age is that of the value, so when the sender stops the
// policy's `maxAge` holds the count.
import type { SourceOf } from '../policy/source-schema.ts';
import { ReadingError } from './reading-error.ts';
import { readingNumber } from './reading-number.ts';
import type { Source, SourceParts } from './source.ts';

export function pushedSource(
  { metric, labels }: SourceOf<'pushed'>,
  { pushed }: Pick<SourceParts, 'pushed'>,
): Source {
  return {
    read: async ({ clock }) => {
      const [found, second] = pushed.find(metric, labels);
      if (found === undefined)
        throw new ReadingError('empty', 'nothing has been posted', { hint: 'post it to /api/v1/metrics' });
      if (second !== undefined)
        throw new ReadingError(
          'bad-answer',
          `several series match: ${JSON.stringify(found.labels)}, ${JSON.stringify(second.labels)}`,
          { hint: 'set `labels` of the source so that one is left' },
        );
      const ageMs = Math.max(0, clock.monotonic() - found.at);
      return { ok: true, shape: 'total', value: readingNumber(found.value, 'the posted value'), ageMs };
    },
  };
}

// A count of documents, or one aggregation over them; the same two requests since Elasticsearch 7. An answer that left
// shards out is partial. A pattern that matches no index is `empty`, although Elasticsearch counts 0 there.
import { z } from 'zod';
import type { Reading } from '../decide/observation.ts';
import type { SourceOf } from '../policy/source-schema.ts';
import { ReadingError } from './reading-error.ts';
import { readingNumber } from './reading-number.ts';
import type { Source, SourceParts } from './source.ts';

const shards = z.object({ total: z.number(), failed: z.number() });
const countSchema = z.object({ count: z.number(), _shards: shards });
const searchSchema = z.object({
  timed_out: z.boolean(),
  _shards: shards,
  aggregations: z
    .object({
      value: z.object({
        value: z.unknown().optional(),
        // A percentile aggregation, by percentage.
        values: z.record(z.string(), z.unknown()).optional(),
      }),
    })
    .optional(),
});

export function elasticsearchSource(
  config: SourceOf<'elasticsearch'>,
  { http }: Pick<SourceParts, 'http'>,
): Source {
  const { index, aggregation, auth, tls } = config;
  const query = config.query ?? { match_all: {} };
  const base = `${config.url.replace(/\/+$/, '')}/${index.split(',').map(encodeURIComponent).join(',')}`;
  return {
    read: async ({ signal, deadlineMs }) => {
      if (aggregation === undefined) {
        const request = { url: `${base}/_count`, method: 'POST', body: { query }, auth, tls } as const;
        return parseCount(await http.json(request, signal));
      }
      const body = {
        query,
        size: 0,
        track_total_hits: false,
        timeout: `${Math.ceil(deadlineMs)}ms`,
        aggs: { value: aggregation },
      };
      return parseAggregation(
        await http.json({ url: `${base}/_search`, method: 'POST', body, auth, tls }, signal),
      );
    },
  };
}

/** @throws ReadingError */
export function parseCount(answer: unknown): Reading {
  const parsed = countSchema.safeParse(answer);
  if (!parsed.success) throw unreadable(parsed.error);
  const { count, _shards } = parsed.data;
  requireIndex(_shards);
  return { ok: true, shape: 'total', value: count, ageMs: 0, ...partialOf(_shards, false) };
}

/** @throws ReadingError */
export function parseAggregation(answer: unknown): Reading {
  const parsed = searchSchema.safeParse(answer);
  if (!parsed.success) throw unreadable(parsed.error);
  const { aggregations, timed_out: timedOut, _shards } = parsed.data;
  requireIndex(_shards);
  if (aggregations === undefined) throw new ReadingError('bad-answer', 'the answer has no aggregation');
  const { value, values } = aggregations.value;
  const [percentile, ...further] = Object.values(values ?? {});
  if (further.length > 0)
    throw new ReadingError('bad-answer', `the aggregation gives ${further.length + 1} percentiles, not one`, {
      hint: 'ask for one, e.g. "percents": [95]',
    });
  if (value === undefined && values === undefined)
    throw new ReadingError('bad-answer', 'the aggregation gives no single value', {
      hint: 'use avg, sum, min, max, cardinality, value_count, or percentiles with one percentage',
    });
  const number = readingNumber(value === undefined ? percentile : value, 'the aggregation');
  return { ok: true, shape: 'total', value: number, ageMs: 0, ...partialOf(_shards, timedOut) };
}

function requireIndex({ total }: z.output<typeof shards>): void {
  if (total === 0)
    throw new ReadingError('empty', 'no index matches', { hint: 'check `index` of the source' });
}

function partialOf({ total, failed }: z.output<typeof shards>, timedOut: boolean): { partial?: string } {
  if (failed === total) throw new ReadingError('refused', `all ${total} shards failed`);
  if (failed > 0) return { partial: `${failed} of ${total} shards failed` };
  return timedOut ? { partial: 'the search stopped at its time limit' } : {};
}

function unreadable(error: z.ZodError): ReadingError {
  return new ReadingError('bad-answer', `this is no answer of Elasticsearch: ${z.prettifyError(error)}`);
}

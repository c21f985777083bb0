// An instant query to Prometheus (or what speaks its API: Thanos, Mimir, VictoriaMetrics). A scalar or a vector of one
// series is a total; with `instanceLabel` each series is one instance's value. An empty vector is `empty`, never 0.
import { z } from 'zod';
import type { InstanceSample, Reading } from '../decide/observation.ts';
import type { SourceOf } from '../policy/source-schema.ts';
import { ReadingError } from './reading-error.ts';
import { anyNumber, readingNumber } from './reading-number.ts';
import { idsByName, type Source, type SourceParts, type SourceTarget } from './source.ts';

const sample = z.tuple([z.number(), z.string()]);

const answerSchema = z.object({
  status: z.literal('success'),
  data: z.discriminatedUnion('resultType', [
    z.object({ resultType: z.literal('scalar'), result: sample }),
    z.object({
      resultType: z.literal('vector'),
      result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: sample.optional() })),
    }),
    z.object({ resultType: z.literal('matrix') }),
    z.object({ resultType: z.literal('string') }),
  ]),
  warnings: z.array(z.string()).optional(),
});

export function prometheusSource(
  config: SourceOf<'prometheus'>,
  { service }: SourceTarget,
  { http, instances }: Pick<SourceParts, 'http' | 'instances'>,
): Source {
  const { headers, auth, tls } = config;
  return {
    read: async ({ signal, deadlineMs }) => {
      const url = new URL(`${config.url.replace(/\/+$/, '')}/api/v1/query`);
      url.searchParams.set('query', config.query);
      url.searchParams.set('timeout', `${Math.ceil(deadlineMs)}ms`);
      const answer = await http.json({ url: url.href, headers, auth, tls }, signal);
      return parsePrometheus(answer, config.instanceLabel, idsByName(instances(service)));
    },
  };
}

/** @throws ReadingError */
export function parsePrometheus(
  answer: unknown,
  instanceLabel: string | undefined,
  ids: ReadonlyMap<string, string>,
): Reading {
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success)
    throw new ReadingError('bad-answer', `this is no answer to a query: ${z.prettifyError(parsed.error)}`);
  const { data, warnings = [] } = parsed.data;
  // Thanos and remote storage say so here when a part of the data is missing.
  const partial = warnings.length === 0 ? {} : { partial: warnings.join('; ').slice(0, 300) };
  if (data.resultType === 'matrix' || data.resultType === 'string')
    throw new ReadingError('bad-answer', `the query gives a ${data.resultType}`, {
      hint: 'write a query that gives one number, such as sum(rate(…[1m]))',
    });
  if (data.resultType === 'scalar') return total(data.result[1], partial);
  const [first] = data.result;
  if (first === undefined)
    throw new ReadingError('empty', 'the query matches no series', {
      hint: 'if that means none, set `whenEmpty: zero`',
    });
  if (instanceLabel !== undefined) return perInstance(data.result, instanceLabel, ids, partial);
  if (data.result.length > 1)
    throw new ReadingError('bad-answer', `the query gives ${data.result.length} series, not one number`, {
      hint: 'aggregate them, e.g. with sum(…), or set `instanceLabel`',
    });
  return total(numberOf(first), partial);
}

type Series = { metric: Record<string, string>; value?: [number, string] | undefined };

function total(value: string, partial: { partial?: string }): Reading {
  return {
    ok: true,
    shape: 'total',
    value: readingNumber(value, 'the result of the query'),
    ageMs: 0,
    ...partial,
  };
}

/** A native histogram has no `value`. */
function numberOf({ value }: Series): string {
  if (value === undefined) throw new ReadingError('bad-answer', 'the query gives a histogram, not a number');
  return value[1];
}

/** A series that is NaN stays so: the policy says whether its instance counts as missing or as 0. */
function perInstance(
  result: readonly Series[],
  label: string,
  ids: ReadonlyMap<string, string>,
  partial: { partial?: string },
): Reading {
  const samples: Record<string, InstanceSample> = {};
  for (const series of result) {
    const name = series.metric[label];
    if (name === undefined)
      throw new ReadingError(
        'bad-answer',
        `a series has no label ${label}: ${JSON.stringify(series.metric)}`,
      );
    const id = ids.get(name) ?? name;
    if (samples[id] !== undefined)
      throw new ReadingError('bad-answer', `several series have ${label}="${name}"`, {
        hint: `aggregate them, e.g. with sum by (${label}) (…)`,
      });
    const value = anyNumber(numberOf(series), `the value of ${name}`);
    samples[id] = { value, ageMs: 0, windowMs: 0 };
  }
  return { ok: true, shape: 'perInstance', samples, ...partial };
}

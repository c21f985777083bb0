// Datadog's webhook and its series. What a webhook sends is written by its user with Datadog's variables; understood are
// `"alert_metric": "$ALERT_METRIC"`, `"value"` or else the line `Metric value: …` that Datadog puts into the text of the
// event, and `"tags": "$TAGS"`. The series are what its agent and API clients post (versions 1 and 2).
// https://docs.datadoghq.com/integrations/webhooks/ and https://docs.datadoghq.com/api/latest/metrics/
import { z } from 'zod';
import { BerthError } from '../../shared/errors.ts';
import type { PushedMetric } from './pushed-metrics.ts';
import { numberSchema, timestampSchema } from './pushed-values.ts';

const webhookSchema = z.looseObject({
  alert_metric: z.string().min(1),
  value: numberSchema.optional(),
  body: z.string().optional(),
  event_msg: z.string().optional(),
  tags: z.union([z.string(), z.array(z.string())]).default([]),
  date: timestampSchema.optional(),
});

/** @throws ZodError; BerthError `request.invalid` */
export function parseDatadogWebhook(document: object): PushedMetric[] {
  const {
    alert_metric: name,
    tags,
    date,
    body = '',
    event_msg: event = '',
    ...rest
  } = webhookSchema.parse(document);
  const inText = /^\W*metric value:\W*?(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/im.exec(`${body}\n${event}`)?.[1];
  const value = rest.value ?? (inText === undefined ? undefined : Number(inText));
  if (value === undefined)
    throw new BerthError('request.invalid', `this webhook of Datadog carries no value of ${name}`, {
      hint: 'add "value" to the payload of the webhook, or leave "Metric value" in its text',
    });
  const list = typeof tags === 'string' ? tags.split(',') : tags;
  return [{ name, labels: labelsOf(list), value, ...(date === undefined ? {} : { at: date }) }];
}

const pointSchema = z.union([
  z.tuple([z.number(), z.number()]).transform(([at, value]) => ({ at, value })),
  z
    .looseObject({ timestamp: z.number(), value: z.number() })
    .transform(({ timestamp, value }) => ({ at: timestamp, value })),
]);

const seriesSchema = z.looseObject({
  series: z.array(
    z.looseObject({
      metric: z.string().min(1),
      points: z.array(pointSchema),
      host: z.string().optional(),
      tags: z.array(z.string()).nullish(),
      resources: z.array(z.looseObject({ type: z.string(), name: z.string() })).nullish(),
    }),
  ),
});

/** The newest point of each series. @throws ZodError */
export function parseDatadogSeries(document: object): PushedMetric[] {
  return seriesSchema.parse(document).series.flatMap(({ metric, points, host, tags, resources }) => {
    const [newest] = points.toSorted((a, b) => b.at - a.at);
    if (newest === undefined) return [];
    const about = [
      ...(host === undefined ? [] : [`host:${host}`]),
      ...(resources ?? []).map(({ type, name }) => `${type}:${name}`),
      ...(tags ?? []),
    ];
    return [{ name: metric, labels: labelsOf(about), value: newest.value, at: newest.at * 1000 }];
  });
}

/** `key:value`; a tag without a value gets an empty one. */
function labelsOf(tags: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    tags.flatMap((tag) => {
      const [key = '', ...value] = tag.trim().split(':');
      return key === '' ? [] : [[key, value.join(':')] as const];
    }),
  );
}

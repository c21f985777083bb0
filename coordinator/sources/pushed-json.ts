// The JSON documents that may be posted, and Berth's own form of them.
import { z } from 'zod';
import { BerthError } from '../../shared/errors.ts';
import { parseDatadogSeries, parseDatadogWebhook } from './pushed-datadog.ts';
import { parseMetricbeat } from './pushed-metricbeat.ts';
import type { PushedMetric } from './pushed-metrics.ts';
import { parseStackdriver } from './pushed-stackdriver.ts';
import { numberSchema, timestampSchema } from './pushed-values.ts';

const ownSchema = z.strictObject({
  name: z.string().min(1),
  value: numberSchema,
  labels: z.record(z.string(), z.string()).default({}),
  timestamp: timestampSchema.optional(),
});

/** A number that was posted alone, under the name that the request gave. @throws BerthError `request.invalid` */
export function namedNumber(value: number, name: string | undefined): PushedMetric {
  if (name !== undefined && name !== '') return { name, labels: {}, value };
  throw new BerthError('request.invalid', 'a number was posted without a name', {
    hint: 'post it to /api/v1/metrics?name=…, or post {"name": …, "value": …}',
  });
}

/** @throws BerthError `request.invalid` */
export function parsePushedJson(document: unknown, name?: string): PushedMetric[] {
  if (Array.isArray(document)) return document.flatMap((each) => parsePushedJson(each));
  if (typeof document !== 'object' || document === null) {
    const value = numberSchema.safeParse(document);
    if (!value.success) throw unreadable(value.error);
    return [namedNumber(value.data, name)];
  }
  try {
    const has = (key: string) => Object.hasOwn(document, key);
    if (has('metricset') || (has('@timestamp') && has('event'))) return parseMetricbeat(document);
    if (has('incident')) return parseStackdriver(document);
    if (has('series')) return parseDatadogSeries(document);
    if (has('alert_metric') || has('event_type')) return parseDatadogWebhook(document);
    const { timestamp, ...metric } = ownSchema.parse(document);
    return [{ ...metric, ...(timestamp === undefined ? {} : { at: timestamp }) }];
  } catch (error) {
    throw error instanceof z.ZodError ? unreadable(error) : error;
  }
}

function unreadable(error: z.ZodError): BerthError {
  return new BerthError('request.invalid', `the document is no metric: ${z.prettifyError(error)}`, {
    hint: 'post {"name": "jobs", "value": 42}, or a document of Metricbeat, Datadog or Google Cloud Monitoring',
  });
}

// The webhook of Google Cloud Monitoring, once Stackdriver. The value is in `observed_value`; versions before 1.2 have
// it in the text only. Its times are those of the incident, not of the value, so the value counts as new.
// https://cloud.google.com/monitoring/support/notification-options#webhooks
import { z } from 'zod';
import { BerthError } from '../../shared/errors.ts';
import type { PushedMetric } from './pushed-metrics.ts';
import { numberSchema } from './pushed-values.ts';

const labels = z.record(z.string(), z.string()).default({});

const webhookSchema = z.looseObject({
  incident: z.looseObject({
    metric: z.looseObject({ type: z.string().min(1), labels }).optional(),
    resource: z.looseObject({ labels }).optional(),
    condition_name: z.string().min(1).optional(),
    policy_name: z.string().optional(),
    observed_value: numberSchema.optional(),
    summary: z.string().nullish(),
  }),
});

/** @throws ZodError; BerthError `request.invalid` */
export function parseStackdriver(document: object): PushedMetric[] {
  const { incident } = webhookSchema.parse(document);
  const { metric, resource, condition_name: condition, policy_name: policy, summary } = incident;
  const inText = /\bvalue of (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/i.exec(summary ?? '')?.[1];
  const value = incident.observed_value ?? (inText === undefined ? undefined : Number(inText));
  const name = metric?.type ?? condition;
  if (value === undefined || name === undefined)
    throw new BerthError(
      'request.invalid',
      'this incident of Google Cloud Monitoring carries no value or no metric',
    );
  return [
    {
      name,
      labels: {
        ...resource?.labels,
        ...metric?.labels,
        ...(policy === undefined ? {} : { policy_name: policy }),
      },
      value,
    },
  ];
}

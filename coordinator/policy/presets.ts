// Ready-made behavior and metrics. What a policy says itself always wins.
import type { z } from 'zod';
import type { metricSchema } from './metric-schema.ts';
import type { policySchema } from './policy-schema.ts';

type PolicyInput = z.input<typeof policySchema>;

export type Preset = {
  readonly behavior: NonNullable<PolicyInput['behavior']>;
  readonly metrics: readonly z.input<typeof metricSchema>[];
};

export const presets: Readonly<Record<NonNullable<PolicyInput['preset']>, Preset>> = {
  /** Quickly up, slowly down, by the numbers of a Kubernetes set-up that ran this way. */
  steady: {
    behavior: {
      scaleUp: {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Max',
        policies: [
          { type: 'Percent', value: 100, periodSeconds: 30 },
          { type: 'Pods', value: 2, periodSeconds: 30 },
        ],
      },
      scaleDown: {
        stabilizationWindowSeconds: 300,
        selectPolicy: 'Min',
        policies: [
          { type: 'Percent', value: 50, periodSeconds: 60 },
          { type: 'Pods', value: 1, periodSeconds: 60 },
        ],
      },
    },
    metrics: [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
      },
      {
        type: 'Resource',
        resource: { name: 'memory', target: { type: 'Utilization', averageUtilization: 80 } },
      },
      {
        source: { type: 'haproxy', what: 'requestRate' },
        target: { type: 'AverageValue', averageValue: 1000 },
      },
      { source: { type: 'haproxy', what: 'sessions' }, target: { type: 'AverageValue', averageValue: 100 } },
      { source: { type: 'haproxy', what: 'queue' }, target: { type: 'AverageValue', averageValue: 100 } },
    ],
  },
};

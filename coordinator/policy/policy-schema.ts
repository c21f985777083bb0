// What a policy is, as people write it: Kubernetes' HPA v2 field names where it has one, and Berth's additions. Type, defaults, help, JSON
// schema and reference page all come from here. Rules that need several fields at once are in check-policy.ts.
import { z } from 'zod';
import { duration } from './duration-schema.ts';
import { metricSchema, toleranceSchema } from './metric-schema.ts';
import { scheduleSchema, timeZoneSchema } from './schedule-schema.ts';

const replicas = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const seconds = 1000;
const longestPeriod = 1800 * seconds;
const longestWindow = 3600 * seconds;

const ratePolicy = z.strictObject({
  type: z
    .enum(['Pods', 'Instances', 'Percent'])
    .describe('Unit of the value; Pods and Instances are the same'),
  value: z.int().min(1).max(1_000_000).describe('Largest change within the period'),
  periodSeconds: duration({ atLeast: 1 * seconds, atMost: longestPeriod }).describe(
    'Length of the period, at most 1800s',
  ),
});

const direction = {
  stabilizationWindowSeconds: duration({ atMost: longestWindow }).optional(),
  selectPolicy: z
    .enum(['Max', 'Min', 'Disabled'])
    .default('Max')
    .describe('Which policy counts: the one that changes most or least; Disabled: never in this direction'),
  policies: z.array(ratePolicy).max(32).optional(),
  tolerance: z.number().min(0).max(10).optional().describe("Tolerance in this direction (the policy's)"),
  cooldown: duration({ atMost: 86_400 * seconds })
    .prefault('0s')
    .describe('Pause after a step of our own'),
};

const behavior = z
  .strictObject({
    scaleUp: z
      .strictObject({
        ...direction,
        stabilizationWindowSeconds: direction.stabilizationWindowSeconds.describe(
          'The smallest recommendation within this time counts (0)',
        ),
        policies: direction.policies.describe(
          'Rate limits (4 instances and 100 % per 15s); an empty list: only the growth cap',
        ),
      })
      .optional()
      .describe('The way up'),
    scaleDown: z
      .strictObject({
        ...direction,
        stabilizationWindowSeconds: direction.stabilizationWindowSeconds.describe(
          'The largest recommendation within this time counts (300s)',
        ),
        policies: direction.policies.describe('Rate limits (100 % per 15s); an empty list: none'),
        safeAfter: z
          .union([z.number().positive().max(10), z.literal(false)])
          .default(0.9)
          .describe(
            'After a step down, load must stay below this share of what would step up again; false: no such test',
          ),
      })
      .optional()
      .describe('The way down'),
    growthCap: z
      .strictObject({
        factor: z.number().min(1).default(2).describe('At most so many times the size'),
        floor: z.int().min(1).default(4).describe('But at least up to this size'),
      })
      .optional()
      .describe('Limit of one step up when scaleUp has no policies'),
  })
  .describe('How fast and how far the size may move');

const activation = z
  .union([
    z.literal(false),
    z.strictObject({
      above: z.number().default(0).describe('In use while a metric is strictly above this'),
      toIdleAfter: duration().prefault('300s').describe('Idle so long before the size falls to the idle one'),
      initial: duration().prefault('0s').describe('The same for a service that was never in use yet'),
      minWhenActive: replicas.default(1).describe('Least size while in use'),
      idleReplicas: replicas.optional().describe('Size while not in use (0 when minReplicas is 0)'),
    }),
  ])
  .describe(
    'Scaling to zero, or to an idle size, and back (on when minReplicas is 0); false: as Kubernetes does it',
  );

const panic = z
  .strictObject({
    window: duration({ atLeast: 1 * seconds })
      .prefault('6s')
      .describe('The short window'),
    stable: duration({ atLeast: 1 * seconds })
      .prefault('60s')
      .describe('The long window, and how long panic lasts at least'),
    threshold: z
      .number()
      .min(1)
      .default(2)
      .describe('Panic begins when the short window asks for so many times the ready instances'),
    average: z.enum(['mean', 'weighted']).default('mean').describe('weighted: newer values count more'),
    maxScaleUpRate: z.number().min(1).optional().describe('At most so many times the ready instances'),
    maxScaleDownRate: z.number().min(1).optional().describe('At least the ready instances divided by this'),
    burst: z
      .strictObject({
        target: z.number().min(-1).describe("A burst to have room for, in instances' worth of load"),
        capacityPerInstance: z
          .number()
          .positive()
          .default(1)
          .describe('What one instance can take, in times its target'),
      })
      .optional()
      .describe('Watch how much room for a burst is left'),
  })
  .refine((given) => given.window <= given.stable, {
    message: 'window is longer than stable',
    path: ['window'],
  })
  .describe('React to spikes at once and hold on; needs a source that is read every two seconds or faster');

export const fallbackSchema = z
  .strictObject({
    afterFailures: z
      .int()
      .min(0)
      .optional()
      .describe('When all sources failed more than so many times in a row'),
    afterSeconds: duration()
      .optional()
      .describe('When all sources failed for this long (180s, unless afterFailures is given)'),
    replicas: replicas.describe('The size to fall back to'),
    behavior: z
      .enum(['static', 'currentReplicas', 'currentReplicasIfHigher', 'currentReplicasIfLower'])
      .default('static')
      .describe('That size, or the one there is, when it is higher or lower'),
  })
  .describe('The size when nothing can be measured');

const share = z.string().regex(/^\d{1,3}%$/, 'write a number, or a percentage such as 50%');
const amount = z.union([replicas, share]);

const budget = z
  .strictObject({
    minAvailable: amount.optional().describe('Ready instances that must remain, or a percentage of the size'),
    maxUnavailable: amount.optional().describe('Instead: instances that may be missing'),
  })
  .refine((given) => (given.minAvailable === undefined) !== (given.maxUnavailable === undefined), {
    message: 'give minAvailable or maxUnavailable',
  })
  .describe('What scaling down, rolling updates and restarts must leave running');

const drain = z
  .strictObject({
    deadline: duration()
      .prefault('60s')
      .describe('Wait at most so long for the sessions of an instance that goes'),
    minAge: duration().prefault('0s').describe('Leave instances alone that are younger than this'),
  })
  .describe('How an instance leaves');

const pause = z
  .union([
    z.enum(['none', 'in', 'out', 'both']),
    z.strictObject({ at: replicas.describe('Stay at this size') }),
  ])
  .describe('Hold the size: not down (in), not up (out), neither (both), or at a number');

export const policySchema = z
  .strictObject({
    name: z.string().min(1).max(200).describe('Name of the policy'),
    service: z.string().min(1).optional().describe('Service to scale (the name of the policy)'),
    scaleTargetRef: z
      .strictObject({
        apiVersion: z.string().optional().describe('Ignored'),
        kind: z.string().optional().describe('Ignored'),
        name: z.string().min(1).describe('Service to scale'),
      })
      .optional()
      .describe('As in Kubernetes, instead of `service`'),
    enabled: z.boolean().default(true).describe('false: leave the service alone'),
    preset: z
      .enum(['steady'])
      .optional()
      .describe('Defaults for behavior and metrics. steady: quickly up, slowly down, five usual metrics'),
    pause: pause.default('none'),
    dryRun: z.boolean().default(false).describe('Decide and record, but change nothing'),
    minReplicas: replicas.default(1).describe('Least size'),
    maxReplicas: z
      .int()
      .min(1)
      .max(2 ** 31 - 1)
      .describe('Largest size'),
    interval: duration({ atLeast: 250, atMost: 3600 * seconds })
      .optional()
      .describe('Time between two evaluations (1s when all sources are HAProxy or agents, else 15s)'),
    timeZone: timeZoneSchema.optional().describe('IANA time zone of the schedules'),
    metrics: z
      .array(metricSchema)
      .max(100)
      .optional()
      .describe('What the size depends on; none: schedules alone'),
    combine: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Expression over the proposals by metric name, e.g. `max(cpu, min(queue, 10))` (the largest proposal)',
      ),
    tolerance: toleranceSchema.optional(),
    behavior: behavior.optional(),
    activation: activation.optional(),
    panic: panic.optional(),
    fallback: fallbackSchema.optional(),
    schedules: z.array(scheduleSchema).max(100).default([]).describe('Floors and ceilings by calendar'),
    holidays: z
      .array(z.iso.date())
      .max(1000)
      .default([])
      .describe('Local dates that schedules may leave out, `2026-12-25`'),
    warmup: duration().prefault('300s').describe('How long a new instance may still be warming up'),
    readinessDelay: duration()
      .prefault('30s')
      .describe('An instance that became not ready within this time of its start never was ready'),
    budget: budget.optional(),
    drain: drain.prefault({}),
    victims: z
      .enum(['youngest', 'oldest'])
      .default('youngest')
      .describe('Of equal instances, which one goes first'),
    priority: z
      .int()
      .default(0)
      .describe('Who goes first when hosts are full or the cap over all services is reached'),
  })
  .describe('How one service is scaled');

export type PolicyConfig = z.output<typeof policySchema>;

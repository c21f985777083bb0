// One metric of a policy: where its numbers come from, and what they say about the size.
import { z } from 'zod';
import { duration } from './duration-schema.ts';
import { targetAmount } from './quantity-schema.ts';
import { scheduleSchema } from './schedule-schema.ts';
import { sourceSchema } from './source-schema.ts';

const share = z.number().min(0).max(10);
const replicas = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const steps = z.record(z.string(), z.int().min(-1000).max(1000));
const alertLife = duration({ atLeast: 1000 }).prefault('1h');

export const toleranceSchema = z
  .union([
    share.transform((both) => ({ up: both, down: both })),
    z.strictObject({
      up: share.default(0.1).describe('Share by which demand may exceed the target'),
      down: share.default(0.1).describe('Share by which demand may stay below the target'),
    }),
  ])
  .describe(
    'No change while the ratio of demand to target is this close to 1: one share, or one for each direction',
  );

const utilization = z
  .strictObject({
    type: z.literal('Utilization'),
    averageUtilization: z
      .int()
      .min(1)
      .max(10_000)
      .describe('Percent of what the instances requested (or are limited to)'),
  })
  .describe('CPU or memory, in percent of the request');

const value = z
  .strictObject({ type: z.literal('Value'), value: targetAmount.describe('Target for the total') })
  .describe('One total against one target: the ratio of the two times the ready instances');

const averageValue = z
  .strictObject({
    type: z.literal('AverageValue'),
    averageValue: targetAmount.describe('Target for each instance'),
    average: z
      .enum(['mean', 'trimmed'])
      .default('mean')
      .describe('trimmed: without the highest and lowest tenth, from five instances on'),
  })
  .describe('A target for each instance: of a value per instance, or of a total');

const drainTime = z
  .strictObject({
    type: z.literal('DrainTime'),
    horizon: duration({ atLeast: 1000 }).describe('The queue shall be empty within this time'),
    ratePerInstance: z
      .number()
      .positive()
      .optional()
      .describe('Messages per second that one instance finishes (learned from acknowledgements)'),
  })
  .describe('A queue that shall be empty within a time');

const threshold = z
  .strictObject({
    type: z.literal('Threshold'),
    lower: z.number().optional().describe('Inclusive lower bound of the band'),
    upper: z.number().optional().describe('Exclusive upper bound of the band'),
    within: z.int().min(1).max(1000).default(5).describe('So many samples must lie in the band …'),
    samples: z.int().min(1).max(1000).optional().describe('… of so many (as many as `within`)'),
    addReplicas: z.int().optional().describe('Then: so many instances more, or fewer'),
    addPercent: z.number().optional().describe('Then: so many percent more, or fewer'),
    setReplicas: replicas.optional().describe('Then: this size'),
  })
  .superRefine((given, context) => {
    const fault = (message: string): void => context.addIssue({ code: 'custom', message });
    if (given.lower === undefined && given.upper === undefined) fault('give lower, upper or both');
    if (given.lower !== undefined && given.upper !== undefined && given.lower >= given.upper) {
      fault(`lower ${given.lower} is not below upper ${given.upper}`);
    }
    if (given.samples !== undefined && given.samples < given.within) fault('samples is less than within');
    const changes = [given.addReplicas, given.addPercent, given.setReplicas].filter(
      (change) => change !== undefined,
    );
    if (changes.length > 1) fault('give one of addReplicas, addPercent and setReplicas');
  })
  .describe('N of the last M samples in a band: one change. As a guard: no way down');

const step = z
  .strictObject({
    type: z.literal('Step'),
    above: z.number().describe('Strictly above: one step up'),
    below: z.number().describe('Strictly below: one step down'),
    step: z
      .int()
      .min(1)
      .default(1)
      .describe('Instances in one step; a step that would leave the bounds is not taken'),
  })
  .refine((given) => given.below <= given.above, { message: 'below is higher than above', path: ['below'] })
  .describe('A fixed step above one threshold and below another');

const alert = z
  .strictObject({
    type: z.literal('Alert'),
    byName: steps.default({}).describe('Step for each alert name; negative: down'),
    bySeverity: steps.default({}).describe('Step for each severity, for alerts without a step of their own'),
    ttl: alertLife.describe('An alert that nobody repeats for this long is over'),
    repeat: duration({ atLeast: 1000 })
      .optional()
      .describe('An alert that stays active steps again after this long'),
  })
  .describe('Steps while alerts are active; the highest wins');

const alertScore = z
  .strictObject({
    type: z.literal('AlertScore'),
    weights: z
      .record(z.string(), z.number())
      .describe('Weight per second of each alert name; negative: down'),
    upAbove: z.number().describe('A score above this steps up'),
    downBelow: z.number().describe('A score below this steps down'),
    decayPerSecond: z
      .number()
      .min(0)
      .default(1)
      .describe('How fast the score returns to 0 when nothing fires'),
    step: z.int().min(1).optional().describe('Instances in one step, whatever the slope of the score (1)'),
    weight: z
      .number()
      .positive()
      .optional()
      .describe('Instead: a share of the size, times the slope of the score'),
    ttl: alertLife.describe('An alert that nobody repeats for this long is over'),
  })
  .refine((given) => given.downBelow <= given.upAbove, {
    message: 'downBelow is higher than upAbove',
    path: ['downBelow'],
  })
  .refine((given) => given.step === undefined || given.weight === undefined, {
    message: 'give step or weight, not both',
  })
  .describe('Weighted alerts, added up over time');

const passThrough = z
  .strictObject({ type: z.literal('PassThrough') })
  .describe('The number that is read is the size');

const fixed = z
  .strictObject({ type: z.literal('Fixed'), value: replicas.describe('The size') })
  .describe('Always the same size');

const schedule = z
  .strictObject({
    type: z.literal('Schedule'),
    schedules: z
      .array(scheduleSchema)
      .min(1)
      .describe('Windows; `minReplicas` is the size inside one, with ramps around it; the largest wins'),
  })
  .describe('A size by calendar, as one proposal among others');

const expression = z
  .strictObject({
    type: z.literal('Expression'),
    expression: z
      .string()
      .min(1)
      .describe(
        'Over the values of the other metrics by name, `replicas` and `ready`, e.g. `max(queue / 10, sessions / 100)`',
      ),
    tolerated: z.boolean().default(false).describe('Whether the tolerance applies to the result'),
  })
  .describe('A size computed from the values of other metrics; rounded, never below 0');

export const targetSchema = z
  .discriminatedUnion('type', [
    utilization,
    value,
    averageValue,
    drainTime,
    threshold,
    step,
    alert,
    alertScore,
    passThrough,
    fixed,
    schedule,
    expression,
  ])
  .describe('What the numbers say about the size');

export type TargetConfig = z.output<typeof targetSchema>;

/** Kinds that read no source. */
export const sourceless: ReadonlySet<TargetConfig['type']> = new Set([
  'Alert',
  'AlertScore',
  'Fixed',
  'Schedule',
  'Expression',
]);

const resource = z
  .strictObject({
    name: z.enum(['cpu', 'memory']).describe('Which resource'),
    target: utilization,
  })
  .describe('As in Kubernetes: CPU or memory of the containers against their request or limit');

export const metricSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .describe('Name of the metric, unique in its policy (the resource, or the `what` of its source)'),
    type: z
      .literal('Resource')
      .optional()
      .describe('As in Kubernetes, with `resource`; otherwise leave it out'),
    resource: resource.optional(),
    source: sourceSchema.optional(),
    target: targetSchema.optional(),
    role: z
      .enum(['decide', 'guard', 'value'])
      .default('decide')
      .describe(
        'guard: proposes nothing; while its threshold holds, or it cannot be read, the size does not fall. value: only read, for expressions',
      ),
    direction: z
      .enum(['both', 'up', 'down'])
      .optional()
      .describe(
        'Directions in which it may move the size (up for responseTime and errorRate, else both); with one only, a threshold that is not triggered leaves the word to the others',
      ),
    group: z
      .string()
      .default('')
      .describe('Members of a group that see no need for change leave the word to the others'),
    tolerance: toleranceSchema.optional(),
    maxAge: duration({ atLeast: 250 })
      .optional()
      .describe('An older value counts as missing (the larger of 60s and four intervals)'),
    whenEmpty: z.enum(['error', 'zero']).default('error').describe('What an empty result means'),
    onNaN: z.enum(['error', 'zero']).default('error').describe('What NaN or an infinite value means'),
    warmup: z
      .boolean()
      .optional()
      .describe('The load spikes while an instance starts: do not count it then (true for CPU)'),
    activation: z
      .union([z.number(), z.literal(false)])
      .optional()
      .describe(
        "The service is in use while the total is strictly above this; false: cannot tell (the policy's `activation.above`)",
      ),
    maxScaleUp: replicas.optional().describe('Largest step up that this metric may propose at once'),
    maxScaleDown: replicas.optional().describe('Largest step down that this metric may propose at once'),
  })
  .superRefine((given, context) => {
    const fault = (message: string, path: string[] = []): void =>
      context.addIssue({ code: 'custom', message, path });
    if (given.resource !== undefined) {
      if (given.source !== undefined || given.target !== undefined)
        fault('resource stands for source and target');
      return;
    }
    if (given.type !== undefined) fault('type: Resource needs resource', ['type']);
    const { target, source } = given;
    if (given.role === 'value') {
      if (source === undefined) fault('a value needs a source');
      if (target !== undefined) fault('a value has no target', ['target']);
      return;
    }
    if (target === undefined) return fault('target is missing');
    if (source === undefined && !sourceless.has(target.type))
      fault(`a target of type ${target.type} needs a source`);
    if (source !== undefined && sourceless.has(target.type))
      fault(`a target of type ${target.type} reads no source`, ['source']);
    if (given.role === 'guard' && target.type !== 'Threshold')
      fault('a guard needs a target of type Threshold', ['role']);
    if (given.role === 'decide' && target.type === 'Threshold' && !hasChange(target)) {
      fault('a Threshold needs addReplicas, addPercent or setReplicas, unless it is a guard', ['target']);
    }
  });

function hasChange(target: Extract<TargetConfig, { type: 'Threshold' }>): boolean {
  return (
    target.addReplicas !== undefined || target.addPercent !== undefined || target.setReplicas !== undefined
  );
}

export type MetricConfig = z.output<typeof metricSchema>;

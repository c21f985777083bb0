// Calendar windows as they are written in policies. Which of the three forms one is follows from its fields: `start` (cron), `days`
// (weekly) or `date` (once).
import { z } from 'zod';
import { cronFault } from '../decide/cron.ts';
import { isTimeZone } from '../decide/zoned-time.ts';
import { duration } from './duration-schema.ts';

const dayMs = 86_400_000;

export const timeZoneSchema = z.string().refine(isTimeZone, {
  error: (issue) => `${JSON.stringify(issue.input)} is not an IANA time zone, such as Europe/Berlin`,
});

const cronText = z.string().refine((text) => cronFault(text, 'UTC') === undefined, {
  error: (issue) =>
    `${JSON.stringify(issue.input)} is not a cron expression: ${cronFault(String(issue.input), 'UTC')}`,
});

const clockTime = z.string().transform((text, context) => {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text);
  const minute = match === null ? Number.NaN : Number(match[1]) * 60 + Number(match[2]);
  if (minute <= 1440 && Number(match?.[2]) < 60) return minute;
  context.addIssue({
    code: 'custom',
    message: `${JSON.stringify(text)} is not a time of day, such as 08:30`,
  });
  return z.NEVER;
});

const instant = z.iso
  .datetime({ offset: true, error: 'write a date with time and offset, such as 2026-12-24T00:00:00+01:00' })
  .transform((text) => Date.parse(text));

export const dayNames = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;

const count = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

export const scheduleSchema = z
  .strictObject({
    name: z.string().min(1).optional().describe('Shown wherever the schedule has a say (`schedule 1`, …)'),
    start: cronText.optional().describe('Cron expression of five fields: when it begins'),
    end: cronText
      .optional()
      .describe(
        'Cron expression: when it ends. Without end and duration it holds until another such schedule begins',
      ),
    days: z.array(z.enum(dayNames)).min(1).optional().describe('Weekly: days on which it begins'),
    startTime: clockTime.optional().describe('Weekly: local time at which it begins, `08:00`'),
    endTime: clockTime
      .optional()
      .describe('Weekly: local time at which it ends; past midnight when not after startTime'),
    date: instant.optional().describe('Once: when it begins'),
    endDate: instant.optional().describe('Once: when it ends'),
    duration: duration({ atLeast: 1000, atMost: 366 * dayMs })
      .optional()
      .describe('How long it lasts; with an end, the later of the two counts'),
    timeZone: timeZoneSchema.optional().describe("IANA time zone of this schedule (the policy's)"),
    minReplicas: count.optional().describe('Floor while it lasts'),
    maxReplicas: count.optional().describe('Ceiling while it lasts'),
    ramp: duration({ atMost: 2 * dayMs })
      .prefault('0s')
      .describe(
        'The floor is reached in steps during this time before it begins, and left in the same way (0: at once)',
      ),
    rampSteps: z.int().min(1).max(1000).default(10).describe('How many steps a ramp has'),
    leadTime: z
      .union([z.literal('auto'), duration({ atMost: dayMs })])
      .prefault('0s')
      .describe('Begin this much earlier; `auto`: by the measured start-up time of an instance'),
    holidays: z
      .enum(['ignore', 'skip', 'only'])
      .default('ignore')
      .describe(
        "What the policy's holidays mean to it: nothing, not in force on them, or in force only on them",
      ),
  })
  .superRefine((given, context) => {
    const forms = [given.start, given.days, given.date].filter((form) => form !== undefined).length;
    const fault = (message: string, path: string[] = []): void =>
      context.addIssue({ code: 'custom', message, path });
    if (forms !== 1) fault('give one of start (cron), days (weekly) or date (once)');
    if (given.end !== undefined && given.end === given.start) fault('start and end are the same', ['end']);
    if (given.end !== undefined && given.start === undefined) fault('end needs start', ['end']);
    if (given.days !== undefined && given.startTime === undefined) fault('days needs startTime', ['days']);
    if (given.days !== undefined && given.endTime === undefined && given.duration === undefined) {
      fault('days needs endTime or duration', ['days']);
    }
    if (given.days === undefined && given.startTime !== undefined)
      fault('startTime needs days', ['startTime']);
    if (given.days === undefined && given.endTime !== undefined) fault('endTime needs days', ['endTime']);
    if (given.date === undefined && given.endDate !== undefined) fault('endDate needs date', ['endDate']);
    if (given.date !== undefined && given.endDate === undefined && given.duration === undefined) {
      fault('date needs endDate or duration', ['date']);
    }
    if (
      given.minReplicas !== undefined &&
      given.maxReplicas !== undefined &&
      given.minReplicas > given.maxReplicas
    ) {
      fault(`minReplicas ${given.minReplicas} is above maxReplicas ${given.maxReplicas}`, ['minReplicas']);
    }
  });

export type ScheduleConfig = z.output<typeof scheduleSchema>;

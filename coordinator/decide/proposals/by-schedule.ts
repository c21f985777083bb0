// The size that a calendar asks for, as one proposal among others: the largest of its schedules.
import type { MetricTarget } from '../policy.ts';
import { saturate } from '../saturate.ts';
import { rampedValue } from '../schedule.ts';
import type { ProposeContext } from './context.ts';
import { exactly, type Proposal } from './proposal.ts';

export function proposeBySchedule(
  schedules: Extract<MetricTarget, { kind: 'schedule' }>['schedules'],
  { wallMs, startupMs }: ProposeContext,
): Proposal {
  const values = schedules.map((schedule) => rampedValue(schedule, schedule.value ?? 0, wallMs, startupMs));
  return exactly(saturate(Math.max(0, ...values)));
}

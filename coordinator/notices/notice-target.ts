// Where notices go and which. URLs of chat webhooks are secrets (who has one can post), so they are given by file, read
// at every use, and never shown.
import { z } from 'zod';
import type { AuditRow } from '../audit/audit-entry.ts';

const pattern = z
  .string()
  .regex(
    /^(?:[a-z][a-z.-]*\*?|\*)$/,
    'write an event such as `scale.decided`, or the start of several: `scale.*`',
  );

export const defaultEvents = [
  'scale.*',
  'instance.*',
  'rollout.*',
  'haproxy.*',
  'agent.lost',
  'alert.fired',
  'alert.refused',
  'silence.*',
  'audit.lost',
];

export const noticeTargetSchema = z.strictObject({
  name: z.string().min(1).max(64).describe('How the log calls it'),
  kind: z
    .enum(['mattermost', 'slack', 'teams', 'webhook'])
    .describe('teams: a workflow that posts cards; webhook: the rows themselves as JSON'),
  urlFile: z.string().min(1).describe('File that holds the URL of the webhook'),
  secretFile: z
    .string()
    .min(1)
    .optional()
    .describe('webhook: file that holds the secret with which posts are signed'),
  events: z.array(pattern).min(1).default(defaultEvents).describe('Which events of the audit'),
  outcomes: z
    .array(z.enum(['ok', 'failed', 'held']))
    .min(1)
    .optional()
    .describe('Only these outcomes (all)'),
  services: z.array(z.string().min(1)).min(1).optional().describe('Only these services (all)'),
  perMinute: z
    .int()
    .min(1)
    .max(600)
    .default(6)
    .describe('Most messages a minute; what comes faster is put together in one'),
});
export type NoticeTarget = z.infer<typeof noticeTargetSchema>;

/** True when the target wants to hear of the row. */
export function wantsRow(
  target: Pick<NoticeTarget, 'events' | 'outcomes' | 'services'>,
  row: AuditRow,
): boolean {
  const { events, outcomes, services } = target;
  return (
    events.some((event) =>
      event.endsWith('*') ? row.event.startsWith(event.slice(0, -1)) : row.event === event,
    ) &&
    (outcomes?.includes(row.outcome) ?? true) &&
    (services === undefined || (row.service !== null && services.includes(row.service)))
  );
}

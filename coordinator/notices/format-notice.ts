import { formatMattermost } from './format-mattermost.ts';
import { formatSlack } from './format-slack.ts';
import { formatTeams } from './format-teams.ts';
import type { Notice } from './notice-buffer.ts';
import type { NoticeTarget } from './notice-target.ts';

const formats: Record<NoticeTarget['kind'], (notice: Notice) => object> = {
  mattermost: formatMattermost,
  slack: formatSlack,
  teams: formatTeams,
  webhook: formatWebhook,
};

/** The body of the post, as JSON. */
export function formatNotice(kind: NoticeTarget['kind'], notice: Notice): string {
  return JSON.stringify(formats[kind](notice));
}

/** For programs: the audit's rows as they are, and the counts of what is not among them. */
function formatWebhook({ rows, more }: Notice): object {
  return {
    version: 1,
    source: 'berth',
    rows: rows.map((row) => ({ ...row, at: new Date(row.at).toISOString() })),
    more,
  };
}

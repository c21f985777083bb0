// Mattermost's incoming webhook: message attachments. `fallback` and `footer` are plain text there, the rest is Markdown.
import type { AuditRow } from '../audit/audit-entry.ts';
import type { Notice } from './notice-buffer.ts';
import { countText, escapeMarkdown, textOf, timeText } from './notice-text.ts';

const colors: Record<AuditRow['outcome'], string> = { ok: '#2eb886', failed: '#d00000', held: '#daa038' };

export function formatMattermost({ rows, more }: Notice): object {
  const rest = more.map((count) => escapeMarkdown(countText(count)));
  return {
    text: rest.length === 0 ? '' : `And besides: ${rest.join(', ')}`,
    attachments: rows.map((row) => {
      const { title, reason, facts } = textOf(row);
      return {
        fallback: title,
        color: colors[row.outcome],
        title: escapeMarkdown(title),
        text: escapeMarkdown(reason),
        fields: facts.map(({ name, value }) => ({ short: true, title: name, value: escapeMarkdown(value) })),
        footer: timeText(row),
      };
    }),
  };
}

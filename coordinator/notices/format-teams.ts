// Teams, by a workflow "when a webhook request is received": an Adaptive Card as the attachment of a message. A message
// may have 28 KB. The older connectors with their MessageCard are switched off by Microsoft.
import type { AuditRow } from '../audit/audit-entry.ts';
import type { Notice } from './notice-buffer.ts';
import { countText, escapeMarkdown, textOf, timeText } from './notice-text.ts';

const colors: Record<AuditRow['outcome'], string> = { ok: 'Good', failed: 'Attention', held: 'Warning' };

export function formatTeams({ rows, more }: Notice): object {
  const rest = more.map((count) => escapeMarkdown(countText(count)));
  const body: object[] = rows.map((row) => {
    const { title, reason, facts } = textOf(row);
    const fields = facts.map(({ name, value }) => ({ title: name, value: escapeMarkdown(value) }));
    return {
      type: 'Container',
      separator: true,
      items: [
        {
          type: 'TextBlock',
          text: escapeMarkdown(title),
          weight: 'Bolder',
          color: colors[row.outcome],
          wrap: true,
        },
        { type: 'TextBlock', text: escapeMarkdown(reason), wrap: true },
        { type: 'FactSet', facts: [...fields, { title: 'at', value: escapeMarkdown(timeText(row)) }] },
      ],
    };
  });
  if (rest.length > 0) body.push({ type: 'TextBlock', text: `And besides: ${rest.join(', ')}`, wrap: true });
  const content = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    msteams: { width: 'Full' },
    body,
  };
  return {
    type: 'message',
    attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content }],
  };
}

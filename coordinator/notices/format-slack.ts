// Slack's incoming webhook: blocks, and a text for notifications. Facts from its documentation: a section's text has at
// most 3,000 characters, a message at most 50 blocks.
import type { Notice } from './notice-buffer.ts';
import { countText, escapeSlack, textOf, timeText } from './notice-text.ts';

const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text } });
const small = (text: string) => ({ type: 'context', elements: [{ type: 'mrkdwn', text }] });

export function formatSlack({ rows, more }: Notice): object {
  const blocks = rows.flatMap((row) => {
    const { title, reason, facts } = textOf(row);
    const words = facts.map(({ name, value }) => `${name}: ${escapeSlack(value)}`);
    return [
      section(`*${escapeSlack(title)}*\n${escapeSlack(reason)}`),
      small([...words, escapeSlack(timeText(row))].join(' · ')),
    ];
  });
  const rest = more.map((count) => escapeSlack(countText(count)));
  const [first] = rows;
  const text =
    first === undefined ? `Berth: ${rest.join(', ')}` : `Berth: ${escapeSlack(textOf(first).title)}`;
  return {
    text,
    blocks: rest.length === 0 ? blocks : [...blocks, section(`And besides: ${rest.join(', ')}`)],
  };
}

// A row as words, for people. Names and reasons come from containers and from other people's alerts, so nothing of them
// may become markup, a link or a mention: each chat has its own escape.
import type { AuditRow } from '../audit/audit-entry.ts';
import type { NoticeCount } from './notice-buffer.ts';

export interface RowText {
  /** `web: scale.decided 2 → 4` */
  title: string;
  reason: string;
  facts: { name: string; value: string }[];
}

const titleLength = 120;
const reasonLength = 300;
const factLength = 64;

export function textOf(row: AuditRow): RowText {
  const about = row.service ?? row.backend ?? row.haproxy ?? row.agent;
  const change = row.from === null && row.to === null ? '' : ` ${row.from ?? '?'} → ${row.to ?? '?'}`;
  const outcome = row.outcome === 'ok' ? '' : ` (${row.outcome})`;
  const measured = row.value === null ? row.metric : `${row.metric ?? 'value'} = ${row.value}`;
  const facts = {
    policy: row.policy,
    metric: measured,
    alert: row.alert,
    container: row.container,
    host: row.host,
    slot: row.slot === null ? null : `${row.backend ?? ''}/${row.slot}`,
  };
  return {
    title: clip(`${about === null ? '' : `${about}: `}${row.event}${change}${outcome}`, titleLength),
    reason: clip(row.reason, reasonLength),
    facts: Object.entries(facts).flatMap(([name, value]) =>
      value === null ? [] : [{ name, value: clip(value, factLength) }],
    ),
  };
}

export function countText({ event, service, outcome, count }: NoticeCount): string {
  const about = service === null ? '' : ` of ${service}`;
  return clip(`${count} × ${event}${about}${outcome === 'ok' ? '' : ` (${outcome})`}`, titleLength);
}

/** One line of the time of a row, in UTC. */
export function timeText(row: AuditRow): string {
  return `${new Date(row.at).toISOString().slice(0, 19).replace('T', ' ')} UTC by ${clip(row.actor, factLength)}`;
}

/** For Slack's mrkdwn: only these three have a meaning that is not mere emphasis (`<!channel>`, `<url|text>`). */
export function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** For Markdown, as Mattermost and Teams read it; an `@` followed by a zero-width space mentions nobody. */
export function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\`*_{}[\]()#~|<>!]/g, '\\$&').replaceAll('@', '@\u200b');
}

/** One line without control characters, of at most `length`. */
function clip(text: string, length: number): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').toWellFormed();
  return line.length <= length ? line : `${line.slice(0, length - 1).toWellFormed()}…`;
}

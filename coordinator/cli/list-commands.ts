// `berth slots | agents | haproxys | audit`: the API's lists as tables or JSON.
import type { z } from 'zod';
import { parseDuration } from '../../shared/duration.ts';
import { BerthError } from '../../shared/errors.ts';
import { agentSchema, auditRowSchema, haproxySchema, slotSchema } from '../api/schemas.ts';
import type { ApiClient } from './api-client.ts';
import { type Format, type Output, writeList } from './output.ts';
import { type Column, formatSpan } from './table.ts';

type Slot = z.infer<typeof slotSchema>;
type Agent = z.infer<typeof agentSchema>;
type Haproxy = z.infer<typeof haproxySchema>;
type AuditRow = z.infer<typeof auditRowSchema>;

export interface Listing {
  api: ApiClient;
  output: Output;
  format: Format;
}

const shortId = (id: string | null) => (id !== null && /^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : id);

const slotColumns: Column<Slot>[] = [
  { title: 'HAPROXY', cell: (slot) => slot.haproxy },
  { title: 'SLOT', cell: (slot) => `${slot.backend}/${slot.slot}` },
  { title: 'STATE', cell: (slot) => slot.state },
  { title: 'ADDRESS', cell: (slot) => (slot.address === null ? null : `${slot.address}:${slot.port}`) },
  { title: 'SERVICE', cell: (slot) => slot.service },
  { title: 'CONTAINER', cell: (slot) => shortId(slot.container) },
  { title: 'AGENT', cell: (slot) => slot.agent },
];

/** Free slots are left out unless `all`: of a hundred most are free. */
export async function listSlots(
  listing: Listing,
  all: boolean,
  filter: Record<string, string>,
): Promise<void> {
  const { api, output, format } = listing;
  const slots = await api.list('/api/v1/slots', slotSchema, new URLSearchParams(filter));
  const shown = all || format === 'json' ? slots : slots.filter((slot) => slot.state !== 'free');
  const empty =
    slots.length === 0
      ? 'No slots. `berth doctor` says why.'
      : `No slot is in use; ${slots.length} are free.`;
  writeList(output, format, shown, slotColumns, empty);
}

const agentColumns: Column<Agent>[] = [
  { title: 'AGENT', cell: (agent) => agent.id },
  { title: 'SERVICE', cell: (agent) => agent.service },
  { title: 'PHASE', cell: (agent) => agent.phase },
  { title: 'SESSION', cell: describeSession },
  { title: 'SLOTS', cell: describeSlots },
  { title: 'CONTAINER', cell: (agent) => shortId(agent.container) },
];

function describeSession(agent: Agent): string {
  if (agent.id.startsWith('docker:') && agent.goodbyeReason === null) return 'none: labels only';
  if (agent.connected) return 'connected';
  if (agent.goodbyeReason !== null) return `left: ${agent.goodbyeReason}`;
  if (agent.lostMsAgo !== null) return `lost ${formatSpan(agent.lostMsAgo)} ago`;
  return agent.heardMsAgo === null ? 'not seen since the start' : 'opening';
}

function describeSlots(agent: Agent): string {
  return agent.registrations
    .map(({ slot, backend, error, state }) =>
      slot === null ? (error ?? state) : `${backend}/${slot} ${state}`,
    )
    .join(', ');
}

export async function listAgents(
  { api, output, format }: Listing,
  filter: Record<string, string>,
): Promise<void> {
  const agents = await api.list('/api/v1/agents', agentSchema, new URLSearchParams(filter));
  writeList(output, format, agents, agentColumns, 'No agent is known.');
}

export const haproxyColumns: Column<Haproxy>[] = [
  { title: 'HAPROXY', cell: (haproxy) => haproxy.name },
  { title: 'STATE', cell: (haproxy) => (haproxy.reachable ? 'reachable' : 'away') },
  { title: 'VERSION', cell: (haproxy) => haproxy.version },
  {
    title: 'UP',
    cell: (haproxy) => (haproxy.uptimeSeconds === null ? null : formatSpan(haproxy.uptimeSeconds * 1000)),
  },
  { title: 'SLOTS', cell: (haproxy) => haproxy.slots },
  { title: 'READY', cell: (haproxy) => haproxy.ready },
  { title: 'FREE', cell: (haproxy) => haproxy.free },
  { title: 'ERROR', cell: (haproxy) => haproxy.error },
];

export async function listHaproxys({ api, output, format }: Listing): Promise<void> {
  const haproxys = await api.list('/api/v1/haproxys', haproxySchema, new URLSearchParams());
  writeList(output, format, haproxys, haproxyColumns, 'No HAProxy is known yet.');
}

const auditColumns: Column<AuditRow>[] = [
  { title: 'TIME', cell: (row) => row.at },
  { title: 'EVENT', cell: (row) => row.event },
  { title: 'OUTCOME', cell: (row) => row.outcome },
  { title: 'BY', cell: (row) => row.actor },
  { title: 'SERVICE', cell: (row) => row.service },
  { title: 'SLOT', cell: (row) => (row.slot === null ? null : `${row.backend ?? '?'}/${row.slot}`) },
  { title: 'AGENT', cell: (row) => row.agent },
  { title: 'REASON', cell: (row) => row.reason },
];

/** `csv` and `all-json`: every row that matches, oldest first. */
export type AuditFormat = Format | 'csv' | 'all-json';

export async function listAudit(
  { api, output, format }: Omit<Listing, 'format'> & { format: AuditFormat },
  filter: Record<string, string>,
  most: number,
): Promise<void> {
  const query = new URLSearchParams(filter);
  if (format === 'csv' || format === 'all-json') {
    query.set('format', format === 'csv' ? 'csv' : 'json');
    await copyExport(api, output, query);
    return;
  }
  const rows = await api.list('/api/v1/audit', auditRowSchema, query, most);
  // The newest last, as in any log.
  writeList(output, format, format === 'table' ? rows.reverse() : rows, auditColumns, 'No such row.');
}

async function copyExport(api: ApiClient, output: Output, query: URLSearchParams): Promise<void> {
  const response = await api.fetch(`/api/v1/audit/export?${query}`, 600_000);
  if (!response.ok || response.body === null) {
    throw new BerthError('coordinator.unreachable', `the export answered with status ${response.status}`);
  }
  const decoder = new TextDecoder();
  for await (const chunk of response.body) output.write(decoder.decode(chunk, { stream: true }));
}

/** `1h` is an hour ago; anything else is a time. */
export function parseInstant(option: string, text: string, now: number): string {
  const ago = parseDuration(text);
  const at = ago === undefined || /^\d{4}/.test(text) ? Date.parse(text) : now - ago;
  if (Number.isNaN(at)) {
    throw new BerthError('config.invalid', `${option} is ${JSON.stringify(text)}, which is not a time`, {
      hint: 'write a span such as 1h, or a time such as 2026-01-31T12:00:00Z',
    });
  }
  return new Date(at).toISOString();
}

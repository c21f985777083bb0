// `berth status`: is it well, and how much of everything is there. `berth health`: one line and an exit code.
import { BerthError } from '../../shared/errors.ts';
import { agentSchema, haproxySchema, healthSchema } from '../api/schemas.ts';
import type { ApiClient } from './api-client.ts';
import { haproxyColumns, type Listing } from './list-commands.ts';
import type { Output } from './output.ts';
import { formatTable } from './table.ts';

const healthMs = 3000;

/** True when all is well. */
export async function showStatus({ api, output, format }: Listing): Promise<boolean> {
  const [health, haproxys, agents] = await Promise.all([
    readHealth(api, '/readyz'),
    api.list('/api/v1/haproxys', haproxySchema, new URLSearchParams()),
    api.list('/api/v1/agents', agentSchema, new URLSearchParams()),
  ]);
  const ready = health.status === 'ok';
  const counts = {
    connected: agents.filter((agent) => agent.connected).length,
    ready: agents.filter((agent) => agent.connected && agent.phase === 'ready').length,
    lost: agents.filter((agent) => agent.lostMsAgo !== null).length,
  };
  if (format === 'json') {
    output.write(`${JSON.stringify({ ready, checks: health.checks, agents: counts, haproxys }, null, 2)}\n`);
    return ready;
  }
  output.write(`coordinator ${api.url}: ${ready ? 'ready' : 'not ready'}\n`);
  for (const check of health.checks.filter(({ status }) => status === 'failed')) {
    output.write(`  ${check.name}: ${check.reason}\n`);
  }
  output.write(`agents: ${counts.connected} connected, ${counts.ready} ready, ${counts.lost} lost\n`);
  if (haproxys.length > 0) output.write(`\n${formatTable(haproxys, haproxyColumns)}`);
  return ready;
}

/** For HEALTHCHECK: alive; with `ready` also able to do its work. */
export async function showHealth(api: ApiClient, output: Output, ready: boolean): Promise<boolean> {
  const health = await readHealth(api, ready ? '/readyz' : '/livez');
  const failed = health.checks.filter(({ status }) => status === 'failed');
  for (const check of failed) output.warn(`${check.name}: ${check.reason}\n`);
  if (health.status === 'ok') output.write('ok\n');
  return health.status === 'ok';
}

async function readHealth(api: ApiClient, path: string) {
  const response = await api.fetch(path, healthMs);
  const parsed = healthSchema.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) {
    throw new BerthError('coordinator.unreachable', `what answers at ${api.url}${path} is not a coordinator`);
  }
  return parsed.data;
}

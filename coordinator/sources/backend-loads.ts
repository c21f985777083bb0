// What `show stat` says of each backend's load. Of its hundred columns a dozen are cut out and no objects are made of
// the rest: with a thousand slots, read every second, that is the difference between 30 ms and a few.
//
// HAPROXY.md, "Numbers for scaling": `qcur` of a backend counts only requests that have no server yet, so the queue is
// that and the servers' own; sessions are the servers' and the queue, else the number saturates when it is needed.
import { BerthError } from '../../shared/errors.ts';
import type { Reply } from '../../shared/haproxy/reply-reader.ts';
import { throwIfRefused } from '../../shared/haproxy/servers-state.ts';

export interface BackendLoad {
  readonly mode: 'http' | 'tcp';
  readonly sessions: number;
  readonly queue: number;
  /** Mean of the last 1024 requests, in milliseconds: it stays as it is when traffic stops. */
  readonly responseTimeMs: number;
  /** These only grow. `requests` are connections in tcp mode; `failed` are 5xx answers, in tcp mode failed connections. */
  readonly counters: { readonly requests: number; readonly answers: number; readonly failed: number };
}

/** @throws BerthError `haproxy.bad-reply`, `haproxy.permission-denied` */
export function parseBackendLoads(reply: Reply): ReadonlyMap<string, BackendLoad> {
  throwIfRefused(reply, 'show stat');
  const lines = reply.text.split('\n');
  const header = lines[0] ?? '';
  const names = header.replace(/^# /, '').split(',');
  const column = (name: string): number => {
    const index = names.indexOf(name);
    if (index < 0) throw badReply(`it has no column ${name}`, header);
    return index;
  };
  const at = {
    backend: column('pxname'),
    name: column('svname'),
    type: column('type'),
    queue: column('qcur'),
    sessions: column('scur'),
    mode: column('mode'),
    responseTime: column('rtime'),
    requests: column('req_tot'),
    connections: column('stot'),
    answers: ['hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx', 'hrsp_5xx'].map(column),
    serverErrors: column('hrsp_5xx'),
    failures: [column('econ'), column('eresp')],
  };
  const forServer = Math.max(at.backend, at.name, at.type, at.queue, at.sessions) + 1;
  const ofServers = new Map<string, { sessions: number; queue: number }>();
  const loads = new Map<string, BackendLoad>();
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index];
    if (line === undefined || line === '') continue;
    const fields = line.split(',', forServer);
    const backend = fields[at.backend] ?? '';
    const servers = ofServers.get(backend) ?? { sessions: 0, queue: 0 };
    if (fields[at.type] === serverType) {
      servers.sessions += number(fields, at.sessions, line);
      servers.queue += number(fields, at.queue, line);
      ofServers.set(backend, servers);
    } else if (fields[at.type] === backendType) {
      // A backend's row comes after those of its servers.
      const all = line.split(',');
      const sum = (columns: readonly number[]) =>
        columns.reduce((total, each) => total + number(all, each, line), 0);
      const queue = number(all, at.queue, line) + servers.queue;
      const isHttp = all[at.mode] === 'http';
      const connections = sum([at.connections]);
      loads.set(backend, {
        mode: isHttp ? 'http' : 'tcp',
        sessions: servers.sessions + queue,
        queue,
        responseTimeMs: number(all, at.responseTime, line),
        counters: isHttp
          ? { requests: sum([at.requests]), answers: sum(at.answers), failed: sum([at.serverErrors]) }
          : { requests: connections, answers: connections, failed: sum(at.failures) },
      });
    } else if (fields[at.type] !== frontendType && fields[at.type] !== listenerType) {
      throw badReply('a row is cut short', line);
    }
  }
  return loads;
}

const frontendType = '0';
const backendType = '1';
const serverType = '2';
const listenerType = '3';

/** A column that HAProxy leaves empty counts as 0: it does so for what a row's mode does not have. */
function number(fields: readonly string[], column: number, line: string): number {
  const value = Number(fields[column] ?? Number.NaN);
  if (!Number.isFinite(value) || value < 0) throw badReply('a number is missing', line);
  return value;
}

function badReply(why: string, text: string): BerthError {
  return new BerthError(
    'haproxy.bad-reply',
    `the reply to "show stat" cannot be read: ${why}: ${JSON.stringify(text.slice(0, 80))}`,
    { hint: 'is this port the Runtime API of an HAProxy from 2.6 on?' },
  );
}

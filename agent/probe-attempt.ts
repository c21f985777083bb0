// One probe: a TCP connection, or an HTTP GET whose status counts. Never throws; a failure says why.
import type { ClientRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { formatHostPort } from '../shared/haproxy/endpoint.ts';
import type { ProbeSettings } from './config.ts';

export type Attempt = { ok: true } | { ok: false; reason: string; refused: boolean };

export interface ProbeTarget {
  address: string;
  port: number;
}

function failed(reason: string, refused = false): Attempt {
  return { ok: false, reason, refused };
}

function describe(error: NodeJS.ErrnoException): Attempt {
  return failed(error.code ?? error.message, error.code === 'ECONNREFUSED');
}

/** Resolves with the first verdict, when `timeoutMs` is over, or when `signal` aborts, and then closes the connection. */
function attempt(
  timeoutMs: number,
  signal: AbortSignal,
  start: (finish: (attempt: Attempt) => void) => Socket | ClientRequest,
): Promise<Attempt> {
  return new Promise((resolve) => {
    const finish = (result: Attempt) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      connection.destroy();
      resolve(result);
    };
    const onAbort = () => finish(failed('aborted'));
    const timer = setTimeout(() => finish(failed(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const connection = start(finish);
    connection.on('error', (error) => finish(describe(error)));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

/** Connects to `target` and closes. */
export function attemptTcp(target: ProbeTarget, timeoutMs: number, signal: AbortSignal): Promise<Attempt> {
  return attempt(timeoutMs, signal, (finish) =>
    connect({ host: target.address, port: target.port }, () => finish({ ok: true })),
  );
}

async function attemptHttp(
  target: ProbeTarget,
  path: string,
  settings: ProbeSettings,
  signal: AbortSignal,
): Promise<Attempt> {
  const { get } = await import('node:http'); // costs memory and start-up time that a TCP probe need not pay
  const host = settings.host ?? formatHostPort(target.address, target.port);
  const headers = {
    host,
    'user-agent': 'berth-agent',
    ...(settings.header === undefined ? {} : { [settings.header.name]: settings.header.value }),
  };
  const options = { host: target.address, port: target.port, path, agent: false, headers };
  return attempt(settings.timeout, signal, (finish) =>
    get(options, (response) => {
      const status = response.statusCode ?? 0;
      const good = settings.status.some((range) => status >= range.from && status <= range.to);
      finish(good ? { ok: true } : failed(`status ${status}`));
    }),
  );
}

/** Probes `target` once, in the way that `settings` say. A probe that is off succeeds. */
export async function attemptProbe(
  target: ProbeTarget,
  settings: ProbeSettings,
  signal: AbortSignal,
): Promise<Attempt> {
  switch (settings.kind.kind) {
    case 'off':
      return { ok: true };
    case 'tcp':
      return attemptTcp(target, settings.timeout, signal);
    case 'http':
      return attemptHttp(target, settings.kind.path, settings, signal);
  }
}

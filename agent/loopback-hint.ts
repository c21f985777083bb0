// The commonest reason why an app that runs is never ready: it listens on 127.0.0.1 only, where HAProxy can't reach it.
import { formatHostPort } from '../shared/haproxy/endpoint.ts';
import { attemptTcp, type ProbeTarget } from './probe-attempt.ts';

const loopbacks = ['127.0.0.1', '::1'];

export function formatLoopbackHint(loopback: string, target: ProbeTarget): string {
  const here = formatHostPort(loopback, target.port);
  const registered = formatHostPort(target.address, target.port);
  return `the app listens on ${here} only and refuses ${registered}, the address at which HAProxy would reach it: make it listen on 0.0.0.0 (often called host or bind), or set BERTH_APP_HOST`;
}

/** The line to show when something listens on a loopback address but not at `target`, else undefined. */
export async function findLoopbackListener(
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (loopbacks.includes(target.address)) return undefined;
  for (const address of loopbacks) {
    const attempt = await attemptTcp({ address, port: target.port }, 500, signal);
    if (!attempt.ok) continue;
    // An app that came up between two probes listens on both by now.
    const again = await attemptTcp(target, 500, signal);
    return again.ok ? undefined : formatLoopbackHint(address, target);
  }
  return undefined;
}

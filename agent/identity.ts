// Who this agent is: an id that stays the same over a restart of its container and differs from every other agent's.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

export interface Identity {
  id: string;
  hostname: string;
  /** The container's full id, where Docker or Podman tells it. */
  container: string | undefined;
}

/**
 * The container's id, from the text of /proc/self/mountinfo (Docker and Podman mount the container's own
 * /etc/hostname from a directory named after it) or of /proc/self/cgroup (cgroup v1). A sidecar in the app's network
 * has the app's /etc/hostname, and so rightly speaks for the app's container.
 */
export function parseContainerId(mountinfo: string, cgroup: string): string | undefined {
  const mounted = /\/(?:overlay-)?containers\/([0-9a-f]{64})\//.exec(mountinfo);
  const grouped = /\/(?:docker[-/]|libpod-)([0-9a-f]{64})/.exec(cgroup);
  return mounted?.[1] ?? grouped?.[1];
}

/** The id: host name, container (unless the host name says it already, as it does by default) and port. */
export function formatAgentId(host: string, container: string | undefined, port: number): string {
  const short = container?.slice(0, 12);
  const parts = short === undefined || host.startsWith(short) ? [host, port] : [host, short, port];
  return parts
    .join('-')
    .replaceAll(/[^A-Za-z0-9_.:-]/g, '_')
    .slice(-128);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // not Linux, or a hidden /proc
  }
}

export function readIdentity(port: number): Identity {
  const container = parseContainerId(read('/proc/self/mountinfo'), read('/proc/self/cgroup'));
  const host = hostname();
  return { id: formatAgentId(host, container, port), hostname: host, container };
}

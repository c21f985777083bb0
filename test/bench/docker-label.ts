// What a test makes in a Docker Engine carries the label `berth.test=<process id>`, and only that is ever removed:
// by the process itself when it stops, and by whoever looks next when that process has died.
import { withLock } from './cache.ts';
import { isAlive, runProcess } from './processes.ts';

const key = 'berth.test';

/** The label of what this process makes. */
export const testLabel = `${key}=${process.pid}`;

const kinds = [
  { list: ['ps', '-a'], remove: ['rm', '-f', '-v'], id: 'ID' },
  { list: ['network', 'ls'], remove: ['network', 'rm'], id: 'ID' },
  { list: ['volume', 'ls'], remove: ['volume', 'rm', '-f'], id: 'Name' },
] as const;

/** Removes the containers, networks and volumes of processes for which `isGone` says true. */
export async function removeLabelled(host: string, isGone: (pid: number) => boolean): Promise<void> {
  const docker = (...args: string[]) => runProcess('docker', ['-H', host, ...args], { deadlineMs: 60_000 });
  for (const kind of kinds) {
    const format = `{{.${kind.id}}} {{.Label "${key}"}}`;
    const listed = await docker(...kind.list, '--filter', `label=${key}`, '--format', format);
    const ids = listed
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([id, pid]) => id && pid && isGone(Number(pid)))
      .map(([id = '']) => id);
    if (ids.length > 0) await docker(...kind.remove, ...ids);
  }
}

/** Removes what processes left behind that no longer live. */
export function removeOrphans(host: string): Promise<void> {
  // One at a time: what another one has just removed would be an error.
  return withLock('docker-orphans', () => removeLabelled(host, (pid) => !isAlive(pid)));
}

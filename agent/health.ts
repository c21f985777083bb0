// `agent.cjs health`, for a Docker HEALTHCHECK: asks the running agent over a socket in Linux's abstract namespace.
// Such a socket is no file, so a read-only root does not matter, nothing is left behind by an agent that died, and it
// is seen in the container's own network namespace only. The agent reads nothing from it; it answers and closes.
//
// Healthy means that the app answers. HAProxy or the coordinator being away is no reason to have the app replaced.
import { connect, createServer } from 'node:net';
import type { Log } from '../shared/log.ts';

export interface HealthStatus {
  answering: boolean;
  phase: string;
  slots: string[];
}

const socketOf = (port: number): string => `\0berth-agent-${port}`;
const deadlineMs = 2000;

/** Answers health questions about the app on `port` until `signal` aborts. */
export function serveHealth(port: number, status: () => HealthStatus, log: Log, signal: AbortSignal): void {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(JSON.stringify(status()));
  });
  server.on('error', (error) => {
    log.warn(
      { event: 'health.unavailable', error: error.message },
      'the health command will not work: is there another agent for this port?',
    );
  });
  server.listen({ path: socketOf(port), signal });
  server.unref();
}

export interface HealthAnswer {
  healthy: boolean;
  /** One line for people. */
  line: string;
}

/** Asks the agent of the app on `port`. Never rejects: no answer is not healthy. */
export async function askHealth(port: number): Promise<HealthAnswer> {
  try {
    const { answering, phase, slots } = parseStatus(await readAll(socketOf(port)));
    return { healthy: answering, line: `${phase}; ${slots.join('; ')}` };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { healthy: false, line: `no agent answers for port ${port}: ${why}` };
  }
}

function readAll(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path);
    socket.setTimeout(deadlineMs, () => socket.destroy(new Error(`no answer within ${deadlineMs} ms`)));
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

function parseStatus(text: string): HealthStatus {
  const value: Record<string, unknown> = Object(JSON.parse(text));
  const { answering, phase, slots } = value;
  if (typeof answering !== 'boolean' || typeof phase !== 'string' || !Array.isArray(slots)) {
    throw new Error('the answer is not from an agent of this version');
  }
  return { answering, phase, slots: slots.map(String) };
}

// The connection to one Docker Engine, and the only place that knows dockerode: a request has a deadline and a signal,
// its answer is checked, and its failure becomes `docker.unavailable` (no answer: whether the engine acted is unknown)
// or `docker.failed` (a DockerError: the engine said no, and why).
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import { z } from 'zod';
import { BerthError } from '../../../shared/errors.ts';
import { callWithDeadline } from './call-deadline.ts';
import { DockerError } from './docker-error.ts';
import { type DockerEndpoint, formatAddress, reasonOf } from './endpoint.ts';

export interface EngineRequest<T> {
  /** What is asked, for errors: `start 3f2a…`. */
  readonly action: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly schema: z.ZodType<T>;
  run(docker: Docker, options: { readonly abortSignal: AbortSignal }): Promise<unknown>;
}

export interface Engine {
  /** @throws BerthError `docker.unavailable`, `docker.failed`; the reason of the signal when that aborts */
  request<T>(request: EngineRequest<T>): Promise<T>;
  /** What an error of a request that is already under way means. */
  unavailable(action: string, error: unknown): BerthError;
  close(): void;
}

export function openEngine(endpoint: DockerEndpoint): Engine {
  const shown = `Docker host ${endpoint.name} (${formatAddress(endpoint.address)})`;
  const agent = openAgent(endpoint);
  const options = { ...addressOptions(endpoint), agent };
  const docker = withoutDockerHost(() => new Docker(options));
  const unavailable = (action: string, cause: unknown) =>
    new BerthError('docker.unavailable', `${shown} cannot be reached to ${action}: ${reasonOf(cause)}`, {
      hint: hintOf(cause),
      cause,
    });
  return {
    request: async ({ action, deadlineMs, signal, schema, run }) => {
      const late = () =>
        new BerthError('docker.unavailable', `${shown} did not ${action} within ${deadlineMs} ms`);
      let answer: unknown;
      try {
        answer = await callWithDeadline(deadlineMs, signal, late, (abortSignal) =>
          run(docker, { abortSignal }),
        );
      } catch (error) {
        if (signal?.aborted === true || error instanceof BerthError) throw error;
        throw refusalOf(action, error) ?? unavailable(action, error);
      }
      const parsed = schema.safeParse(answer);
      if (parsed.success) return parsed.data;
      const detail = z.prettifyError(parsed.error).slice(0, 300);
      throw new BerthError(
        'docker.unavailable',
        `${shown} gave a strange answer when asked to ${action}: ${detail}`,
        {
          hint: 'is this the address of a Docker Engine?',
        },
      );
    },
    unavailable,
    close: () => agent.destroy(),
  };
}

const refusalSchema = z.object({
  statusCode: z.number(),
  /** `(HTTP code 404) no such container - No such container: x` */
  message: z.string(),
  /** What docker-modem knows the status to mean. */
  reason: z.string().default(''),
  json: z.object({ message: z.string() }).nullish().catch(null),
});

/** The engine's own no, as docker-modem reports it; undefined when there was no answer. */
function refusalOf(action: string, error: unknown): DockerError | undefined {
  const parsed = refusalSchema.safeParse(error);
  if (!parsed.success) return undefined;
  const { statusCode, message, reason, json } = parsed.data;
  const text = message.slice(message.indexOf(' - ') + 3).trim();
  // What a port of TLS says to a request without it comes from its web server, not from the engine.
  if (/HTTP request to an HTTPS server/.test(text)) return undefined;
  return new DockerError(action, statusCode, json?.message.trim() ?? (text || reason));
}

const wrongCa = "is `ca` the CA that signed the engine's certificate?";

/** By the code of the connection's error, or the message where it has none. */
const hints: readonly (readonly [RegExp, string])[] = [
  [/^ENOENT$/, 'is the Docker daemon running, and is its socket mounted here?'],
  [/^ECONNREFUSED$/, 'is the Docker daemon running?'],
  [/^(EACCES|EPERM)$/, "may this user open the socket? Give it the socket's group, usually docker"],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'is the name right, and known to the DNS here?'],
  [/SELF_SIGNED|UNABLE_TO_(VERIFY|GET)/, wrongCa],
  [/ALTNAME_INVALID/, "use the name or address that the engine's certificate is made out to"],
  [/ALERT/, 'the engine wants a client certificate that its own CA signed: give cert and key'],
  [/HPE_|HTTP request to an HTTPS server/, 'does the engine want TLS? Give ca, cert and key'],
];

function hintOf(error: unknown): string | undefined {
  const text = error instanceof Error && 'code' in error ? String(error.code) : reasonOf(error);
  return hints.find(([pattern]) => pattern.test(text))?.[1];
}

function addressOptions({ address }: DockerEndpoint): Docker.DockerOptions {
  return 'socketPath' in address
    ? { socketPath: address.socketPath }
    : { host: address.host, port: address.port, protocol: address.isTls ? 'https' : 'http' };
}

/** Kept connections are given up before a proxy in between would do it. */
const keeping = { keepAlive: true, timeout: 5000, scheduling: 'lifo' } as const;

function openAgent({ address, tls }: DockerEndpoint): HttpAgent {
  const isTls = !('socketPath' in address) && address.isTls;
  const agent = isTls
    ? new HttpsAgent({
        ...keeping,
        ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
        ...(tls?.key === undefined ? {} : { key: tls.key }),
        rejectUnauthorized: tls?.isVerified ?? true,
      })
    : new HttpAgent(keeping);
  // docker-modem formats its options in full for each request, also when nobody reads that: an agent with all its
  // sockets would cost milliseconds, and would show its key.
  return Object.assign(agent, { [inspect.custom]: () => 'Agent' });
}

/** docker-modem adds what `DOCKER_HOST` and its friends say to what it is given; here the address is known already. */
function withoutDockerHost<T>(open: () => T): T {
  const { DOCKER_HOST: saved } = process.env;
  delete process.env['DOCKER_HOST'];
  try {
    return open();
  } finally {
    if (saved !== undefined) process.env['DOCKER_HOST'] = saved;
  }
}

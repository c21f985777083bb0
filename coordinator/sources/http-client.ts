// HTTP for sources: one request, a JSON answer, a typed error for anything else. Each request has a connection of its
// own, so nothing goes stale between two ticks and a peer that comes back is read at once. Redirects are not followed:
// credentials would go along. Nothing but a 2xx is an answer; a proxy's error page read as "no messages" has scaled
// people's fleets to zero.
import { Agent, type Dispatcher } from 'undici';
import type { SourceAuth, SourceTls } from '../policy/source-schema.ts';
import { type Credentials, hidingSecrets, readCredentials, readTls } from './credentials.ts';
import { networkError } from './network-error.ts';
import { ReadingError } from './reading-error.ts';

export interface JsonRequest {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly auth?: SourceAuth;
  readonly tls?: SourceTls;
}

const maxAnswerBytes = 4 * 1024 * 1024;

export class HttpClient {
  /** One agent for each combination of TLS files, replaced when a file's text changes. */
  readonly #agents = new Map<string, { material: string; agent: Agent }>();

  /**
   * The parsed body of a 2xx answer.
   * @throws ReadingError `unreachable`, `timeout`, `unauthorized`, `refused`, `bad-answer`; the signal's reason
   */
  async json(request: JsonRequest, signal: AbortSignal): Promise<unknown> {
    const credentials = await readCredentials(request.auth);
    return hidingSecrets(credentials, async () => {
      const dispatcher = await this.#agentFor(request.tls);
      const { status, text } = await send(request, credentials, dispatcher, signal).catch((error) => {
        throw signal.aborted ? signal.reason : networkError(error);
      });
      if (status === 401 || status === 403)
        throw new ReadingError('unauthorized', `it answered ${status}${errorDetail(text)}`, {
          hint: 'check the credentials in `auth` and what this user may read',
        });
      if (status < 200 || status > 299)
        throw new ReadingError('refused', `it answered ${status}${errorDetail(text)}`);
      return parseJson(text);
    });
  }

  async close(): Promise<void> {
    const agents = [...this.#agents.values()];
    this.#agents.clear();
    await Promise.all(agents.map(({ agent }) => agent.destroy()));
  }

  async #agentFor(tls: SourceTls): Promise<Agent> {
    const files = JSON.stringify(tls ?? {});
    const read = await readTls(tls);
    const material = JSON.stringify(read ?? {});
    const known = this.#agents.get(files);
    if (known?.material === material) return known.agent;
    // `pipelining: 0` is undici's word for a connection that is closed after its answer.
    const agent = new Agent({ pipelining: 0, connect: { ...read } });
    this.#agents.set(files, { material, agent });
    if (known !== undefined) void known.agent.close();
    return agent;
  }
}

async function send(
  { url, method = 'GET', headers = {}, body }: JsonRequest,
  credentials: Credentials,
  dispatcher: Dispatcher,
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  const answer = await dispatcher.request({
    origin: new URL(url).origin,
    path: new URL(url).pathname + new URL(url).search,
    method,
    headers: {
      accept: 'application/json',
      ...authorization(credentials),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal,
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes)
      throw new ReadingError('bad-answer', `its answer is larger than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: answer.statusCode, text: Buffer.concat(chunks).toString('utf8') };
}

function authorization({ username, password = '', bearer }: Credentials): Record<string, string> {
  if (bearer !== undefined) return { authorization: `Bearer ${bearer}` };
  if (username === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ReadingError('bad-answer', `it did not answer JSON: ${JSON.stringify(text.slice(0, 60))}`, {
      cause,
    });
  }
}

/** What the answer itself says is wrong: `error`, `reason` or `message`, as the APIs here spell it. */
export function errorDetail(text: string): string {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return '';
  }
  const detail = detailOf(answer);
  return detail === undefined ? '' : `: ${detail.slice(0, 300)}`;
}

function detailOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return undefined;
  const { reason, message, error }: { reason?: unknown; message?: unknown; error?: unknown } = value;
  return detailOf(reason) ?? detailOf(message) ?? detailOf(error);
}

// The coordinator's API, as the commands use it.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { BerthError, describeError } from '../../shared/errors.ts';
import { formatHostPort } from '../../shared/haproxy/endpoint.ts';
import { readNamedFile } from '../../shared/named-file.ts';
import { problemSchema } from '../api/schemas.ts';
import { options } from '../config/options.ts';
import { bindAddress } from '../config/read-config.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ApiOptions {
  url: string;
  token: string | undefined;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

const requestMs = 10_000;

/** Where the coordinator is: `given`, else BERTH_URL, else on this machine at the port of BERTH_LISTEN. */
export function apiOptions(given: string | undefined, env: Environment): ApiOptions {
  const token = readToken(env);
  const wanted = given ?? env['BERTH_URL'] ?? '';
  if (wanted === '') return { url: localUrl(env, token !== undefined), token };
  const source = given === undefined ? 'BERTH_URL' : '--url';
  const url = URL.parse(wanted);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new BerthError(
      'config.invalid',
      `${source} is ${JSON.stringify(wanted)}, which is not an address`,
      {
        hint: 'write http://host:7070',
      },
    );
  }
  return { url: wanted.replace(/\/+$/, ''), token };
}

function readToken(env: Environment): string | undefined {
  const path = env['BERTH_TOKEN_FILE'] ?? '';
  if (path === '') return env['BERTH_TOKEN'] || undefined;
  const problems: string[] = [];
  const readFile = (name: string) => readFileSync(name, 'utf8');
  const text = readNamedFile('BERTH_TOKEN_FILE', path, { readFile, problems });
  if (text === undefined) throw new BerthError('config.invalid', problems.join());
  return text.trim();
}

function localUrl(env: Environment, hasToken: boolean): string {
  const listen = options.listen.type.parse(env['BERTH_LISTEN'] || options.listen.default) ?? {
    host: '',
    port: 7070,
  };
  const { host, port } = bindAddress(listen, hasToken);
  const anywhere: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1', '': '127.0.0.1' };
  return `http://${formatHostPort(anywhere[host] ?? host, port)}`;
}

export class ApiClient {
  readonly url: string;
  readonly #token: string | undefined;

  constructor({ url, token }: ApiOptions) {
    this.url = url;
    this.#token = token;
  }

  /** @throws BerthError `coordinator.unreachable`, or the code of the problem that came back */
  async get<T extends z.ZodType>(path: string, schema: T): Promise<z.infer<T>> {
    const response = await this.fetch(path);
    if (!response.ok) throw await problemError(path, response);
    return this.#parse(path, response, schema);
  }

  /** Every item of a list, over all of its pages; at most `most`. */
  async list<T extends z.ZodType>(
    path: string,
    item: T,
    query: URLSearchParams,
    most = Infinity,
  ): Promise<z.infer<T>[]> {
    const schema = z.object({ items: z.array(item), next: z.string().optional() });
    const items: z.infer<T>[] = [];
    const page = new URLSearchParams(query);
    for (;;) {
      page.set('limit', String(Math.min(1000, most - items.length)));
      const found = await this.get(`${path}?${page}`, schema);
      items.push(...found.items);
      if (found.next === undefined || items.length >= most) return items;
      page.set('cursor', found.next);
    }
  }

  /** Asks for something to be done. @throws as `get` */
  async send<T extends z.ZodType>(
    method: Method,
    path: string,
    schema: T,
    body?: object,
  ): Promise<z.infer<T>> {
    const response = await this.fetch(path, requestMs, { method, body });
    if (!response.ok) throw await problemError(path, response);
    return response.status === 204 ? schema.parse(undefined) : this.#parse(path, response, schema);
  }

  /** The bare response, whatever its status. @throws BerthError `coordinator.unreachable` */
  async fetch(
    path: string,
    deadlineMs = requestMs,
    { method = 'GET', body }: { method?: Method; body?: object | undefined } = {},
  ): Promise<Response> {
    const headers: Record<string, string> = {
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    try {
      return await fetch(this.url + path, {
        method,
        headers,
        ...text,
        signal: AbortSignal.timeout(deadlineMs),
      });
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw new BerthError(
        'coordinator.unreachable',
        `no coordinator answers at ${this.url}: ${describeError(cause)}`,
        {
          hint: 'is it running? give its address with --url or BERTH_URL',
          cause: error,
        },
      );
    }
  }

  async #parse<T extends z.ZodType>(path: string, response: Response, schema: T): Promise<z.infer<T>> {
    const parsed = schema.safeParse(await response.json().catch(() => undefined));
    if (parsed.success) return parsed.data;
    throw new BerthError(
      'coordinator.unreachable',
      `what answers at ${this.url}${path} is not this version's API`,
      {
        hint: 'is it a coordinator, and of the same version as this program?',
      },
    );
  }
}

async function problemError(path: string, response: Response): Promise<BerthError> {
  const parsed = problemSchema.safeParse(await response.json().catch(() => undefined));
  if (response.status === 401) {
    return new BerthError('request.unauthorized', 'the coordinator wants another token', {
      hint: 'set BERTH_TOKEN or BERTH_TOKEN_FILE to the value that the coordinator has',
    });
  }
  if (!parsed.success) {
    return new BerthError('coordinator.unreachable', `${path} answered with status ${response.status}`);
  }
  return new BerthError('request.invalid', parsed.data.detail, { hint: parsed.data.hint });
}

// What an option can be: each type says what it expects, and reads a text or refuses it. Texts come from the
// environment and from the configuration file alike.
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseDuration } from '../../shared/duration.ts';
import { BerthError, describeError } from '../../shared/errors.ts';
import { isSafeName } from '../../shared/haproxy/commands.ts';
import { parsePort } from '../../shared/haproxy/endpoint.ts';
import { noticeTargetSchema } from '../notices/notice-target.ts';
import { type DatabaseUrl, parseDatabaseUrl } from '../store/database-url.ts';
import { dockerHostsSchema } from '../targets/docker/host-schema.ts';

export interface ValueType<T> {
  /** Completes "give …". */
  expects: string;
  /** The value, or undefined when `text` is not one. `text` is never empty. */
  parse(text: string): T | undefined;
}

export interface ListenAddress {
  host: string;
  port: number;
}

function accept<T>(expects: string, parse: (text: string) => T | undefined): ValueType<T> {
  return { expects, parse };
}

function matching(expects: string, pattern: RegExp): ValueType<string> {
  return accept(expects, (text) => (pattern.test(text) ? text : undefined));
}

function oneOf<const T extends string>(...options: T[]): ValueType<T> {
  return accept(`one of ${options.join(', ')}`, (text) => options.find((option) => option === text));
}

function wholeNumber(from: number, to: number): ValueType<number> {
  return accept(`a whole number from ${from} to ${to}`, (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : undefined;
    return value !== undefined && value >= from && value <= to ? value : undefined;
  });
}

function duration(fromMs: number, toMs: number, expects: string): ValueType<number> {
  return accept(expects, (text) => {
    const ms = parseDuration(text);
    return ms !== undefined && ms >= fromMs && ms <= toMs ? ms : undefined;
  });
}

/** A value that is written as JSON, or as a structure in the file. */
function json<T>(expects: string, schema: z.ZodType<T>): ValueType<T> {
  return accept(expects, (text) => {
    try {
      return schema.safeParse(JSON.parse(text)).data;
    } catch {
      return undefined;
    }
  });
}

const noticesSchema = z.array(noticeTargetSchema).max(100);
const day = 86_400_000;

export const types = {
  port: accept('a port, a whole number from 1 to 65535', parsePort),
  nodeCount: wholeNumber(1, 100_000),
  mode: oneOf('template', 'dynamic'),
  name: accept('a name of letters, digits and _ . : -, at most 128', (text) =>
    isSafeName(text) ? text : undefined,
  ),
  servers: matching('a host or several, such as lb1,lb2:9998', /^[\x21-\x7e ]{1,4000}$/),
  pem: matching('PEM text, or the path of a PEM file', /^(?:-----BEGIN [\s\S]*|[^\n\r\0]{1,4000})$/),
  token: matching('printable characters without spaces', /^[\x21-\x7e]{1,4000}$/),
  dockerHosts: json(
    'a list of Docker hosts: [{"name": "lab", "host": "tcp://10.0.0.5:2376"}]',
    dockerHostsSchema,
  ),
  notices: json(
    'a list of notice targets: [{"name": "ops", "kind": "slack", "urlFile": "/run/secrets/slack"}]',
    noticesSchema,
  ),
  path: matching('the path of a file', /^[^\0\n\r]{1,4000}$/),
  listen: accept('an address and port, such as 0.0.0.0:7070', parseListen),
  database: accept(
    'sqlite:/data/berth.db, mysql://user:password@host/berth or postgres://user:password@host/berth',
    readDatabase,
  ),
  heartbeat: duration(100, 60_000, 'a duration from 100ms to 60s'),
  observe: duration(20, 10_000, 'a duration from 20ms to 10s'),
  keep: duration(60_000, 36_500 * day, 'a duration from 1m on, such as 24h or 90d'),
  share: accept('a share from 1% to 1000%, or off', (text) => {
    if (text === 'off') return Number.POSITIVE_INFINITY;
    const percent = /^\d{1,4}%$/.test(text) ? Number(text.slice(0, -1)) : 0;
    return percent >= 1 && percent <= 1000 ? percent / 100 : undefined;
  }),
  logLevel: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  flag: accept('true or false (also 1, 0, yes, no, on, off)', (text) => {
    if (/^(?:1|true|yes|on)$/i.test(text)) return true;
    return /^(?:0|false|no|off)$/i.test(text) ? false : undefined;
  }),
} as const;

/** `host:port`, `[IPv6]:port`, `:port` or a port alone. Port 0 is any free one. */
function parseListen(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]:|([^:[\]]*):)?(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const host = match[1] ?? (match[2] || '0.0.0.0');
  const port = Number(match[3]);
  const usable = isIP(host) !== 0 || host === 'localhost';
  return usable && port <= 65_535 ? { host, port } : undefined;
}

function readDatabase(text: string): DatabaseUrl | undefined {
  try {
    return parseDatabaseUrl(text);
  } catch (error) {
    if (error instanceof BerthError) return undefined;
    throw new Error(describeError(error), { cause: error });
  }
}

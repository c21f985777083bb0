// What the value of a variable can be: each type says what it expects, and reads a text or refuses it. Values end up
// on HAProxy's command line, in HTTP requests and in addresses, so each type accepts only what is known to be harmless.
import { isIP } from 'node:net';
import { parseDuration } from '../shared/duration.ts';
import { isSafeName } from '../shared/haproxy/commands.ts';
import { parsePort } from '../shared/haproxy/endpoint.ts';
import { parseServerParameters } from '../shared/haproxy/server-parameters.ts';
import { type MetricSource, parseMetricSources } from './metric-source.ts';
import { parseEnviron } from './odd-names.ts';

export interface ValueType<T> {
  /** Completes "give …". */
  expects: string;
  /** The value, or undefined when `text` is not one. `text` is never empty. */
  parse(text: string): T | undefined;
}

export type ProbeKind = { kind: 'off' } | { kind: 'tcp' } | { kind: 'http'; path: string };
export interface StatusRange {
  from: number;
  to: number;
}
export interface Header {
  name: string;
  value: string;
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

function probeKind(allowOff: boolean): ValueType<ProbeKind> {
  const expects = `tcp${allowOff ? ', off' : ''} or an HTTP path such as /healthz`;
  return accept(expects, (text) => {
    if (text === 'tcp') return { kind: 'tcp' };
    if (text === 'off' && allowOff) return { kind: 'off' };
    return /^\/[\x21-\x7e]{0,2000}$/.test(text) ? { kind: 'http', path: text } : undefined;
  });
}

const hour = 3_600_000;

export const types = {
  port: accept('a port, a whole number from 1 to 65535', parsePort),
  nodeCount: wholeNumber(1, 100_000),
  count: wholeNumber(1, 1000),
  name: accept('a name of letters, digits and _ . : -, at most 128', (text) =>
    isSafeName(text) ? text : undefined,
  ),
  service: matching('a name of letters, digits and _ . : -, at most 128', /^[A-Za-z0-9_.:-]{1,128}$/),
  address: accept('an IP address (HAProxy takes no names at run time)', (text) =>
    isIP(text) !== 0 && !text.includes('%') ? text : undefined,
  ),
  servers: matching('a host or several, such as lb1,lb2:9998', /^[\x21-\x7e ]{1,4000}$/),
  pem: matching('PEM text, or the path of a PEM file', /^(?:-----BEGIN [\s\S]*|[^\n\r\0]{1,4000})$/),
  token: matching('printable characters without spaces', /^[\x21-\x7e]{1,4000}$/),
  command: matching('a command line', /^[^\0]{1,10000}$/),
  environ: accept('what the entrypoint sets', parseEnviron),
  directory: matching('an absolute path', /^\/[^\0\n\r]{0,3000}$/),
  interval: duration(50, 24 * hour, 'a duration from 50ms to 24h, such as 500ms or 5s'),
  timeout: duration(1, hour, 'a duration from 1ms to 1h, such as 500ms or 2s'),
  patience: duration(0, hour, 'a duration of at most 1h, such as 500ms, 5s or 0s'),
  probe: probeKind(false),
  optionalProbe: probeKind(true),
  gate: oneOf('app', 'haproxy'),
  mode: oneOf('template', 'dynamic'),
  serverParameters: accept(
    'words of a `server` line that HAProxy takes at run time, such as check inter 5s maxconn 8000 weight 100',
    parseServerParameters,
  ),
  onAgentExit: oneOf('stop', 'keep'),
  logLevel: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  flag: accept('1 or 0 (also true, false, yes, no, on, off)', (text) => {
    if (/^(?:1|true|yes|on)$/i.test(text)) return true;
    return /^(?:0|false|no|off)$/i.test(text) ? false : undefined;
  }),
  coordinators: accept('one or several WebSocket addresses, such as ws://coordinator:7070/agent', (text) => {
    const urls = text.split(',').map((part) => part.trim());
    return urls.every((url) => /^wss?:\/\/[\x21\x22\x24-\x7e]+$/.test(url) && URL.canParse(url))
      ? urls
      : undefined;
  }),
  statuses: accept('HTTP statuses, such as 200-399 or 200,204', (text): StatusRange[] | undefined => {
    const ranges: StatusRange[] = [];
    for (const part of text.split(',')) {
      const match = /^\s*([1-5]\d\d)(?:-([1-5]\d\d))?\s*$/.exec(part);
      if (match === null) return undefined;
      const from = Number(match[1]);
      const to = Number(match[2] ?? match[1]);
      if (to < from) return undefined;
      ranges.push({ from, to });
    }
    return ranges;
  }),
  header: accept('one header, such as "X-Probe: berth"', (text): Header | undefined => {
    const match = /^([A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}):[ \t]*([\x20-\x7e]{0,2000})$/.exec(text);
    return match?.[1] === undefined ? undefined : { name: match[1], value: match[2] ?? '' };
  }),
  hostHeader: matching('a host name, with a port if need be', /^[A-Za-z0-9_.:[\]-]{1,255}$/),
  metrics: accept<MetricSource[]>(
    'NAME=SOURCE or several separated by commas, such as queue=/metrics#jobs_waiting',
    parseMetricSources,
  ),
} as const;

// Reads the coordinator's configuration: the environment goes before the file, the file before the defaults. Every
// problem is reported, not only the first: one line each, with the value, where it came from, and the mend. An empty
// variable counts as not set, since that is what compose files make of one that their user left out.
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { describeError } from '../../shared/errors.ts';
import { type Endpoint, parseEndpoints, type TlsFiles } from '../../shared/haproxy/endpoint.ts';
import { readNamedFile, readPem } from '../../shared/named-file.ts';
import { editDistance, suggest } from '../../shared/suggest.ts';
import { type ConfigFile, parseConfigFile } from './config-file.ts';
import { type Option, type Options, type OptionValue, options } from './options.ts';
import type { ListenAddress } from './value-types.ts';

type Values = { [K in keyof Options]: OptionValue<Options[K]> };

export interface Config
  extends Omit<Values, 'haproxyServers' | 'haproxyPort' | 'tlsCa' | 'tlsCert' | 'tlsKey'> {
  haproxys: Endpoint[];
  name: string;
  auditJournal: string;
  /** What to bind: `listen`, or its loopback counterpart when there is no token. */
  bind: ListenAddress;
}

export interface ConfigReading {
  /** Undefined when there are problems. */
  config: Config | undefined;
  problems: string[];
  warnings: string[];
}

export interface ConfigSources {
  env: Readonly<Record<string, string | undefined>>;
  /** Of the configuration file; none: only the environment. */
  path: string | undefined;
  /** Gives the text of a file, or throws. */
  readFile(path: string): string;
}

export function readConfig(sources: ConfigSources): ConfigReading {
  const problems: string[] = [];
  const file = readConfigFile(sources, problems);
  const read: Record<string, unknown> = {};
  for (const [name, option] of Object.entries<Option>(options)) {
    read[name] = readOption(option, file, sources, problems);
  }
  const values = read as Values;
  const haproxys = readEndpoints(values, sources, problems);
  if (values.agentToken !== undefined && values.token === undefined)
    problems.push('BERTH_AGENT_TOKEN is set without BERTH_TOKEN: give both, or BERTH_TOKEN alone');
  const warnings = unknownVariables(sources.env);
  if (problems.length > 0) return { config: undefined, problems, warnings };
  const bind = bindAddress(values.listen, values.token !== undefined);
  if (bind !== values.listen) {
    warnings.push(
      `without BERTH_TOKEN only ${bind.host} is listened on: agents in containers cannot reach it; set BERTH_TOKEN here and for the agents`,
    );
  }
  const config: Config = {
    ...values,
    haproxys,
    bind,
    name: values.name ?? hostname(),
    auditJournal: values.auditJournal ?? join(dataFolder(values.database), 'audit-journal.jsonl'),
  };
  return { config, problems, warnings };
}

function dataFolder(database: Values['database']): string {
  return database.kind === 'sqlite' && database.path !== ':memory:' ? dirname(database.path) : '/data';
}

/** Without a token nobody but this machine may connect. */
export function bindAddress(listen: ListenAddress, hasToken: boolean): ListenAddress {
  const { host, port } = listen;
  if (hasToken || host === 'localhost' || host === '::1' || host.startsWith('127.')) return listen;
  return { host: host.includes(':') ? '::1' : '127.0.0.1', port };
}

function fileKeys(): string[] {
  return Object.values<Option>(options).flatMap(({ key, fromFile }) =>
    fromFile === true ? [key, `${key}File`] : [key],
  );
}

function structuredKeys(): string[] {
  return Object.values<Option>(options).flatMap(({ key, structured }) => (structured === true ? [key] : []));
}

function readConfigFile({ path, readFile }: ConfigSources, problems: string[]): ConfigFile {
  const none: ConfigFile = { values: new Map(), problems: [] };
  if (path === undefined) return none;
  try {
    const file = parseConfigFile(path, readFile(path), fileKeys(), structuredKeys());
    problems.push(...file.problems);
    return file;
  } catch (error) {
    problems.push(`the configuration file ${path} cannot be read: ${describeError(error)}`);
    return none;
  }
}

interface Found {
  /** Where it came from, for complaints: `BERTH_LISTEN`, or `berth.yaml:3:9: listen`. */
  source: string;
  text: string;
}

function readOption(option: Option, file: ConfigFile, sources: ConfigSources, problems: string[]): unknown {
  const found = findText(option, file, sources, problems);
  if (found === 'failed') return undefined;
  const text = found?.text ?? option.default;
  if (text === undefined) {
    if (option.required) problems.push(missing(option, sources.env));
    return undefined;
  }
  const value = option.type.parse(text);
  if (value === undefined) {
    const cut = text.length > 80 ? `${text.slice(0, 80)}…` : text;
    const shown =
      option.secret === true || text.includes('BEGIN ')
        ? 'has a value that'
        : `is ${JSON.stringify(cut)}, which`;
    problems.push(`${found?.source ?? option.env} ${shown} cannot be used: give ${option.type.expects}`);
  }
  return value;
}

function findText(
  option: Option,
  file: ConfigFile,
  { env, readFile }: ConfigSources,
  problems: string[],
): Found | 'failed' | undefined {
  const variable = (name: string): Found | undefined => {
    const text = env[name] ?? '';
    return text === '' ? undefined : { source: name, text };
  };
  const entry = (key: string): Found | undefined => {
    const value = file.values.get(key);
    return value === undefined ? undefined : { source: `${value.place}: ${key}`, text: value.text };
  };
  const fromFile = option.fromFile === true;
  const pairs: [Found | undefined, Found | undefined][] = [
    [variable(option.env), fromFile ? variable(`${option.env}_FILE`) : undefined],
    [entry(option.key), fromFile ? entry(`${option.key}File`) : undefined],
  ];
  for (const [own, path] of pairs) {
    if (own !== undefined && path !== undefined) {
      problems.push(`${own.source} and ${path.source} are both set: keep one of them`);
      return 'failed';
    }
    if (own !== undefined) return own;
    if (path === undefined) continue;
    const text = readNamedFile(path.source, path.text, { readFile, problems });
    return text === undefined ? 'failed' : { source: path.source, text: text.trim() };
  }
  return undefined;
}

function missing(option: Option, env: ConfigSources['env']): string {
  const known = new Set(Object.values<Option>(options).map((other) => other.env));
  const meant = suggest(
    option.env,
    Object.keys(env).filter((name) => !known.has(name)),
  );
  const typo = meant === undefined ? '' : ` (${meant} is set: is it a misspelling?)`;
  return `${option.env} is not set${typo}: give ${option.type.expects}, or ${option.key} in the configuration file`;
}

function readEndpoints(values: Values, { readFile }: ConfigSources, problems: string[]): Endpoint[] {
  const { haproxyServers, haproxyPort, tlsCa, tlsCert, tlsKey } = values;
  const pem = (name: string, value: string | undefined) => readPem(name, value, { readFile, problems });
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    const [present, absent] = tlsCert === undefined ? ['KEY', 'CERT'] : ['CERT', 'KEY'];
    problems.push(`HAPROXY_TLS_${present} is set without HAPROXY_TLS_${absent}: give both, or neither`);
  }
  const files = { ca: tlsCa, cert: tlsCert, key: tlsKey };
  const tls: TlsFiles | undefined = Object.values(files).every((value) => value === undefined)
    ? undefined
    : {
        ca: pem('HAPROXY_TLS_CA', tlsCa),
        cert: pem('HAPROXY_TLS_CERT', tlsCert),
        key: pem('HAPROXY_TLS_KEY', tlsKey),
      };
  if (haproxyServers === undefined || haproxyPort === undefined) return [];
  try {
    return parseEndpoints(haproxyServers, haproxyPort, tls);
  } catch (error) {
    problems.push(describeError(error));
    return [];
  }
}

/** Variables of the agent may stand in the same environment file, so only what is one slip away is mentioned. */
function unknownVariables(env: ConfigSources['env']): string[] {
  const known = Object.values<Option>(options).flatMap((option) =>
    option.fromFile === true ? [option.env, `${option.env}_FILE`] : [option.env],
  );
  return Object.keys(env)
    .filter((name) => name.startsWith('BERTH_') && !known.includes(name))
    .flatMap((name) => {
      const meant = known.find((other) => editDistance(name, other) === 1);
      return meant === undefined ? [] : [`${name} does nothing: did you mean ${meant}?`];
    });
}

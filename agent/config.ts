// Reads the environment into a typed configuration. Every problem is reported, not only the first: one line each, with
// the variable, its value and the mend. An empty value counts as not set, since that is what compose files make of a
// variable that their user left out.
import { describeError } from '../shared/errors.ts';
import { longestPrefix } from '../shared/haproxy/dynamic-servers.ts';
import { type Endpoint, parseEndpoints, type TlsFiles } from '../shared/haproxy/endpoint.ts';
import { hasCheck } from '../shared/haproxy/server-parameters.ts';
import { readNamedFile, readPem } from '../shared/named-file.ts';
import { suggest } from '../shared/suggest.ts';
import type { ValueType } from './value-types.ts';
import { coordinatorVariables, sections, type Variable, variables } from './variables.ts';

type Sections = typeof sections;
type Value<V> = V extends { type: ValueType<infer T>; required: infer R; default: infer D }
  ? R extends true
    ? T
    : D extends string
      ? T
      : T | undefined
  : never;
type Values = {
  [S in keyof Sections]: {
    [K in keyof Sections[S]['variables']]: Value<Sections[S]['variables'][K]>;
  };
};

export type ProbeSettings = Values['startup'];
/** What the variables say, section by section as in `sections`, and the HAProxys that they name. */
export type Config = Values & { endpoints: Endpoint[] };

export interface ConfigReading {
  /** Undefined when there are problems. */
  config: Config | undefined;
  problems: string[];
  warnings: string[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** A value as it is shown to people: quoted, cut, and never a secret. */
function shown(variable: Variable, text: string): string {
  if (variable.secret === true || text.includes('BEGIN ')) return 'has a value that';
  return `is ${JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)}, which`;
}

/**
 * Reads the configuration.
 * @param readFile gives the text of a file, or throws
 */
export function readConfig(given: Environment, readFile: (path: string) => string): ConfigReading {
  const env = withStartupProbe(given);
  const problems: string[] = [];
  const values: Record<string, Record<string, unknown>> = {};
  for (const [section, { variables: table }] of Object.entries(sections)) {
    const read: Record<string, unknown> = {};
    for (const [key, variable] of Object.entries<Variable>(table)) {
      read[key] = readVariable(variable, env, readFile, problems);
    }
    values[section] = read;
  }
  const config = values as Values;
  const endpoints = readEndpoints(config, readFile, problems);
  problems.push(...contradictions(config, endpoints), ...modeProblems(config, env));
  return {
    config: problems.length === 0 ? { ...config, endpoints } : undefined,
    problems,
    warnings: [...unknownVariables(env), ...idleVariables(config, env)],
  };
}

/** A liveness probe must not end an app that still boots: where nothing is said of it, the port is waited for. */
function withStartupProbe(env: Environment): Environment {
  const { BERTH_STARTUP: startup = '', BERTH_LIVE: live = '' } = env;
  return startup !== '' || live === '' || live === 'off' ? env : { ...env, BERTH_STARTUP: 'tcp' };
}

function readVariable(
  variable: Variable,
  env: Environment,
  readFile: (path: string) => string,
  problems: string[],
): unknown {
  const source = sourceOf(variable, env, readFile, problems);
  if (source === 'failed') return undefined;
  const text = source?.text ?? variable.default;
  if (text === undefined) {
    if (variable.required) problems.push(missing(variable, env));
    return undefined;
  }
  const value = variable.type.parse(text);
  if (value === undefined) {
    problems.push(
      `${source?.name ?? variable.name} ${shown(variable, text)} cannot be used: give ${variable.type.expects}`,
    );
  }
  return value;
}

function sourceOf(
  variable: Variable,
  env: Environment,
  readFile: (path: string) => string,
  problems: string[],
): { name: string; text: string } | 'failed' | undefined {
  const own = env[variable.name] ?? '';
  const fileName = `${variable.name}_FILE`;
  const path = variable.fromFile === true ? (env[fileName] ?? '') : '';
  if (own !== '' && path !== '') {
    problems.push(`${variable.name} and ${fileName} are both set: keep one of them`);
    return 'failed';
  }
  if (path !== '') {
    const text = readNamedFile(fileName, path, { readFile, problems });
    return text === undefined ? 'failed' : { name: fileName, text: text.trim() };
  }
  if (own !== '') return { name: variable.name, text: own };
  const fallback = variable.fallback === undefined ? '' : (env[variable.fallback] ?? '');
  return variable.fallback === undefined || fallback === ''
    ? undefined
    : { name: variable.fallback, text: fallback };
}

function missing(variable: Variable, env: Environment): string {
  const known = new Set(allNames());
  const others = Object.keys(env).filter((name) => !known.has(name));
  const meant = suggest(variable.name, others);
  const typo = meant === undefined ? '' : ` (${meant} is set: is it a misspelling?)`;
  const or = variable.fallback === undefined ? '' : ` or ${variable.fallback}`;
  return `${variable.name}${or} is not set${typo}: give ${variable.type.expects}`;
}

function readEndpoints(config: Values, readFile: (path: string) => string, problems: string[]): Endpoint[] {
  const { servers, port, tlsCa, tlsCert, tlsKey } = config.haproxy;
  const pem = (name: string, value: string | undefined) => readPem(name, value, { readFile, problems });
  const tls: TlsFiles | undefined =
    tlsCa === undefined && tlsCert === undefined && tlsKey === undefined
      ? undefined
      : {
          ca: pem('HAPROXY_TLS_CA', tlsCa),
          cert: pem('HAPROXY_TLS_CERT', tlsCert),
          key: pem('HAPROXY_TLS_KEY', tlsKey),
        };
  if (typeof servers !== 'string' || typeof port !== 'number') return [];
  try {
    return parseEndpoints(servers, port, tls);
  } catch (error) {
    problems.push(describeError(error));
    return [];
  }
}

/** Values that are right one by one and wrong together. */
function contradictions(config: Values, endpoints: readonly Endpoint[]): string[] {
  const found: string[] = [];
  const { tlsCert, tlsKey } = config.haproxy;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    const [present, absent] =
      tlsCert === undefined
        ? ['HAPROXY_TLS_KEY', 'HAPROXY_TLS_CERT']
        : ['HAPROXY_TLS_CERT', 'HAPROXY_TLS_KEY'];
    found.push(`${present} is set without ${absent}: give both, or neither`);
  }
  const socket = endpoints.find((endpoint) => endpoint.path !== undefined);
  if (socket !== undefined && config.app.host === undefined) {
    found.push(
      `HAPROXY_SERVER is the unix socket ${JSON.stringify(socket.path)}, which tells no address to register: give BERTH_APP_HOST`,
    );
  }
  return found;
}

/** What each way into HAProxy needs. */
function modeProblems({ haproxy }: Values, env: Environment): string[] {
  const { mode, nodeCount, slotPrefix, gate, parameters } = haproxy;
  const { nodeCount: count } = sections.haproxy.variables;
  // A value that is none has been reported already.
  const hasCount = nodeCount !== undefined || (env[count.name] ?? '') !== '';
  if (mode === 'template') return hasCount ? [] : [missing(count, env)];
  if (mode !== 'dynamic') return [];
  const found: string[] = [];
  if (typeof slotPrefix === 'string' && slotPrefix.length > longestPrefix)
    found.push(
      `HAPROXY_SLOT_PREFIX has ${slotPrefix.length} characters: in dynamic mode give at most ${longestPrefix}`,
    );
  if (gate === 'haproxy' && parameters !== undefined && !hasCheck(parameters))
    found.push(
      'BERTH_GATE is "haproxy", and HAPROXY_SERVER_PARAMETERS has no check that it could wait for: give check among them',
    );
  return found;
}

/** Variables of the other mode: an environment file may be shared, so they are no fault. */
function idleVariables({ haproxy: { mode } }: Values, env: Environment): string[] {
  const { nodeCount, parameters } = sections.haproxy.variables;
  const idle = mode === 'dynamic' ? nodeCount : parameters;
  return (env[idle.name] ?? '') === '' ? [] : [`${idle.name} does nothing in ${mode} mode (HAPROXY_MODE)`];
}

function allNames(): string[] {
  return variables.flatMap((variable) => [
    variable.name,
    ...(variable.fromFile === true ? [`${variable.name}_FILE`] : []),
    ...(variable.fallback === undefined ? [] : [variable.fallback]),
  ]);
}

function unknownVariables(env: Environment): string[] {
  const known = allNames();
  return Object.keys(env)
    .filter(
      (name) => name.startsWith('BERTH_') && !known.includes(name) && !coordinatorVariables.includes(name),
    )
    .map((name) => {
      const meant = suggest(name, known);
      return `${name} is not a variable of the agent and does nothing${meant === undefined ? '' : `: did you mean ${meant}?`}`;
    });
}

/** The environment for the app: the agent's own without Berth's secrets, and with what the entrypoint kept for it. */
export function appEnvironment(env: Environment): Record<string, string> {
  const { nodeOptions, preload, environ } = sections.app.variables;
  const handedOn = environ.type.parse(env[environ.name] ?? '');
  const kept = { NODE_OPTIONS: nodeOptions.name, LD_PRELOAD: preload.name };
  const left = new Set<string>(Object.values(kept));
  for (const { name, secret } of variables) if (secret === true) left.add(name).add(`${name}_FILE`);
  const given = { ...env, ...(handedOn?.kind === 'whole' ? handedOn.odd : {}) };
  for (const [name, from] of Object.entries(kept)) given[name] = env[from] ?? env[name];
  return Object.fromEntries(
    Object.entries(given).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !left.has(entry[0]),
    ),
  );
}

// All options of the coordinator, in one table: variable, key in the file, type, default, description. The
// configuration, its error lines and docs/configuration.md come from here.
import { types, type ValueType } from './value-types.ts';

export interface Option {
  /** The environment variable. */
  env: string;
  /** The key in the configuration file; dots are levels. */
  key: string;
  type: ValueType<unknown>;
  /** As one would write it. */
  default: string | undefined;
  required: boolean;
  description: string;
  /** Never shown. */
  secret?: true;
  /** Also read from the file that `<env>_FILE` or `<key>File` names. */
  fromFile?: true;
  /** A list of objects in the file; JSON in the variable. */
  structured?: true;
}

type Extra = Pick<Option, 'secret' | 'fromFile' | 'structured'>;

function required<T>(env: string, key: string, type: ValueType<T>, description: string, extra: Extra = {}) {
  return { env, key, type, default: undefined, required: true as const, description, ...extra };
}
function optional<T>(env: string, key: string, type: ValueType<T>, description: string, extra: Extra = {}) {
  return { env, key, type, default: undefined, required: false as const, description, ...extra };
}
function withDefault<T>(
  env: string,
  key: string,
  type: ValueType<T>,
  value: string,
  description: string,
  extra: Extra = {},
) {
  return { env, key, type, default: value, required: false as const, description, ...extra };
}

export const options = {
  haproxyServers: required(
    'HAPROXY_SERVER',
    'haproxy.server',
    types.servers,
    "Host of HAProxy's Runtime API, or several: `lb1,lb2:9998`; a name with several addresses counts as several, of one with IPv4 and IPv6 addresses only those of IPv4; a path is a unix socket",
  ),
  haproxyPort: withDefault(
    'HAPROXY_PORT',
    'haproxy.port',
    types.port,
    '9999',
    'Port of the Runtime API where `HAPROXY_SERVER` gives none',
  ),
  backend: optional(
    'HAPROXY_BACKEND',
    'haproxy.backend',
    types.name,
    'Backend that `berth doctor` looks for; the coordinator looks after every backend that has such slots',
  ),
  slotPrefix: withDefault(
    'HAPROXY_SLOT_PREFIX',
    'haproxy.slotPrefix',
    types.name,
    'node',
    'Prefix of the slots in the `server-template`',
  ),
  mode: withDefault(
    'HAPROXY_MODE',
    'haproxy.mode',
    types.mode,
    'template',
    'What `berth doctor` checks for; the coordinator itself looks after slots of templates and servers that agents add alike',
  ),
  nodeCount: optional(
    'NODE_COUNT',
    'haproxy.nodeCount',
    types.nodeCount,
    'Number of slots in the template; `berth doctor` compares it with what HAProxy has',
  ),
  tlsCa: optional(
    'HAPROXY_TLS_CA',
    'haproxy.tls.ca',
    types.pem,
    "CA that HAProxy's certificate is checked against, as PEM text or the path of a PEM file; turns TLS on",
    { fromFile: true },
  ),
  tlsCert: optional(
    'HAPROXY_TLS_CERT',
    'haproxy.tls.cert',
    types.pem,
    'Client certificate, as PEM text or the path of a PEM file; turns TLS on',
    { fromFile: true },
  ),
  tlsKey: optional(
    'HAPROXY_TLS_KEY',
    'haproxy.tls.key',
    types.pem,
    'Key of the client certificate, as PEM text or the path of a PEM file',
    { fromFile: true, secret: true },
  ),
  observeMs: withDefault(
    'BERTH_OBSERVE_INTERVAL',
    'haproxy.observeInterval',
    types.observe,
    '200ms',
    'How often each HAProxy is looked at',
  ),
  listen: withDefault(
    'BERTH_LISTEN',
    'listen',
    types.listen,
    '0.0.0.0:7070',
    'Address and port for agents, API and dashboard; without a token only the loopback address is used',
  ),
  token: optional(
    'BERTH_TOKEN',
    'token',
    types.token,
    'Bearer token that agents and callers of the API must show',
    { fromFile: true, secret: true },
  ),
  metricsOpen: withDefault(
    'BERTH_METRICS_OPEN',
    'metricsOpen',
    types.flag,
    'false',
    'Serve `/metrics` without a token, for a Prometheus that has none',
  ),
  database: withDefault(
    'BERTH_DATABASE',
    'database',
    types.database,
    'sqlite:/data/berth.db',
    'Where agents and the audit are kept; MariaDB is `mysql://` too',
    { fromFile: true, secret: true },
  ),
  auditJournal: optional(
    'BERTH_AUDIT_JOURNAL',
    'audit.journal',
    types.path,
    'File in which audit rows wait while the database is away (`audit-journal.jsonl` beside the SQLite file, else in `/data`)',
  ),
  auditKeepMs: withDefault(
    'BERTH_AUDIT_KEEP',
    'audit.keep',
    types.keep,
    '90d',
    'How long audit rows are kept',
  ),
  policyFile: optional(
    'BERTH_POLICIES',
    'policies',
    types.path,
    'File with policies (docs/policies.md); read again when it changes',
  ),
  dockerHosts: optional(
    'BERTH_DOCKER_HOSTS',
    'docker',
    types.dockerHosts,
    "Docker hosts to act on, each with `name`, `host` and, for TLS, the files `ca`, `cert` and `key`; without it this machine's, as the Docker command line finds it (`DOCKER_HOST`, contexts, sockets)",
    { structured: true },
  ),
  memoryShare: withDefault(
    'BERTH_HOST_MEMORY',
    'hosts.memory',
    types.share,
    '90%',
    'Share of the memory of a Docker host that its containers may be promised: a new instance is made only where its memory reservation (else its limit) fits beside those of all containers that run there. Those without a limit count as nothing: the rest is for them. `off`: memory is not looked at',
  ),
  cpuShare: withDefault(
    'BERTH_HOST_CPU',
    'hosts.cpu',
    types.share,
    'off',
    'The same for CPUs, by the limits (`--cpus`) of containers: 100% promises each no more than there is. `off`: a limit is no promise, and a CPU that is shared makes things slower and kills nobody',
  ),
  alertSecret: optional(
    'BERTH_ALERT_SECRET',
    'alerts.secret',
    types.token,
    'Secret that posts of alerts may be signed with instead of showing the token',
    { fromFile: true, secret: true },
  ),
  notices: optional(
    'BERTH_NOTICES',
    'notices',
    types.notices,
    'Chats and webhooks to tell of what happens, each with `name`, `kind` (mattermost, slack, teams, webhook) and `urlFile`',
    { structured: true },
  ),
  heartbeatMs: withDefault(
    'BERTH_HEARTBEAT',
    'agents.heartbeat',
    types.heartbeat,
    '1s',
    'How often agents are asked to beat; one that is silent for three beats is lost',
  ),
  agentToken: optional(
    'BERTH_AGENT_TOKEN',
    'agents.token',
    types.token,
    'Token for agents alone, which they are given as their `BERTH_TOKEN`: it opens nothing of the API, so that an app whose container is broken into can neither read nor scale. `BERTH_TOKEN` opens the way for agents as well',
    { fromFile: true, secret: true },
  ),
  agentKeepMs: withDefault(
    'BERTH_AGENT_KEEP',
    'agents.keep',
    types.keep,
    '24h',
    'How long an agent without a session is remembered',
  ),
  name: optional('BERTH_NAME', 'name', types.name, 'Name of this coordinator (the host name)'),
  logLevel: withDefault(
    'BERTH_LOG_LEVEL',
    'logLevel',
    types.logLevel,
    'info',
    'JSON lines at and above this level go to stdout',
  ),
};

export type Options = typeof options;

/** What an option's value is, by its entry in the table. */
export type OptionValue<O> = O extends { type: ValueType<infer T>; required: infer R; default: infer D }
  ? R extends true
    ? T
    : D extends string
      ? T
      : T | undefined
  : never;

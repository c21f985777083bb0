// All variables of the agent, in one table: name, type, default, description. The configuration, its error lines, the
// help text and docs/agent.md come from here.
import { types, type ValueType } from './value-types.ts';

/** One variable. `default` is written as one would write it. */
export interface Variable {
  name: string;
  type: ValueType<unknown>;
  default: string | undefined;
  required: boolean;
  description: string;
  /** Another variable that is read when this one is not set. */
  fallback?: string;
  /** Never shown and not given to the app. */
  secret?: true;
  /** Also read from the file that `<name>_FILE` names. */
  fromFile?: true;
}

type Extra = Pick<Variable, 'fallback' | 'secret' | 'fromFile'>;

function required<T>(name: string, type: ValueType<T>, description: string, extra: Extra = {}) {
  return { name, type, default: undefined, required: true as const, description, ...extra };
}
function optional<T>(name: string, type: ValueType<T>, description: string, extra: Extra = {}) {
  return { name, type, default: undefined, required: false as const, description, ...extra };
}
function withDefault<T>(name: string, type: ValueType<T>, value: string, description: string) {
  return { name, type, default: value, required: false as const, description };
}

function probe<K>(
  prefix: string,
  kind: ValueType<K>,
  defaults: { kind: string; interval: string; failures: string; successes: string },
  description: string,
) {
  return {
    kind: withDefault(prefix, kind, defaults.kind, description),
    interval: withDefault(
      `${prefix}_INTERVAL`,
      types.interval,
      defaults.interval,
      'From one probe to the next',
    ),
    timeout: withDefault(`${prefix}_TIMEOUT`, types.timeout, '2s', 'How long a probe waits for its answer'),
    failures: withDefault(
      `${prefix}_FAILURES`,
      types.count,
      defaults.failures,
      'Failures in a row that count',
    ),
    successes: withDefault(
      `${prefix}_SUCCESSES`,
      types.count,
      defaults.successes,
      'Successes in a row that count',
    ),
    status: withDefault(`${prefix}_STATUS`, types.statuses, '200-399', 'HTTP statuses that are a success'),
    header: optional(`${prefix}_HEADER`, types.header, 'A header to send, `Name: value`'),
    host: optional(
      `${prefix}_HOST`,
      types.hostHeader,
      'The Host header to send (the address that is probed)',
    ),
  };
}

export const sections = {
  haproxy: {
    title: 'HAProxy',
    variables: {
      servers: required(
        'HAPROXY_SERVER',
        types.servers,
        "Host of HAProxy's Runtime API, or several: `lb1,lb2:9998`; a name with several addresses counts as several, of one with IPv4 and IPv6 addresses only those of IPv4; a path is a unix socket",
      ),
      port: withDefault(
        'HAPROXY_PORT',
        types.port,
        '9999',
        'Port of the Runtime API where `HAPROXY_SERVER` gives none',
      ),
      mode: withDefault(
        'HAPROXY_MODE',
        types.mode,
        'template',
        '`template`: takes a slot of a `server-template`; `dynamic`: adds a server of its own to the backend and deletes it again, without a template and `NODE_COUNT`',
      ),
      nodeCount: optional(
        'NODE_COUNT',
        types.nodeCount,
        'Number of slots in the `server-template`; required in template mode',
      ),
      backend: optional(
        'HAPROXY_BACKEND',
        types.name,
        'Backend that holds the slots (the only one whose slots match `<prefix>1` to `<prefix>NODE_COUNT`; in dynamic mode the only one without servers that takes them at run time)',
      ),
      slotPrefix: withDefault(
        'HAPROXY_SLOT_PREFIX',
        types.name,
        'node',
        'Prefix of the slots in the `server-template`; a dynamic server is called `<prefix>-<address>:<port>`',
      ),
      parameters: optional(
        'HAPROXY_SERVER_PARAMETERS',
        types.serverParameters,
        'Dynamic mode: what else a `server` line would say, since `default-server` does not hold for servers that are added (`check inter 5s maxconn 8000 weight 100`)',
      ),
      gate: withDefault(
        'BERTH_GATE',
        types.gate,
        'app',
        "`app`: into traffic once the app answers at the registered address; `haproxy`: once HAProxy's own check passes too (use `fall 2` or more: with `fall 1` the last result of the slot's former app can count until the next check)",
      ),
      tlsCa: optional(
        'HAPROXY_TLS_CA',
        types.pem,
        "CA that HAProxy's certificate is checked against, as PEM text or the path of a PEM file; turns TLS on",
        { fromFile: true },
      ),
      tlsCert: optional(
        'HAPROXY_TLS_CERT',
        types.pem,
        'Client certificate, as PEM text or the path of a PEM file; turns TLS on',
        { fromFile: true },
      ),
      tlsKey: optional(
        'HAPROXY_TLS_KEY',
        types.pem,
        'Key of the client certificate, as PEM text or the path of a PEM file',
        { fromFile: true, secret: true },
      ),
    },
  },
  app: {
    title: 'The app',
    variables: {
      port: required('BERTH_APP_PORT', types.port, 'Port that the app listens on, and that is registered', {
        fallback: 'PORT',
      }),
      host: optional(
        'BERTH_APP_HOST',
        types.address,
        'IP address to register (the local address of the route to HAProxy)',
      ),
      service: optional('BERTH_SERVICE', types.name, "Service that the app belongs to (the backend's name)"),
      signalGroup: withDefault(
        'BERTH_SIGNAL_GROUP',
        types.flag,
        '0',
        '`1`: the app runs in a session of its own and signals go to its whole process group',
      ),
      nodeOptions: optional(
        'BERTH_APP_NODE_OPTIONS',
        types.command,
        "The app's `NODE_OPTIONS`, when the agent itself is to run without them; the images' entrypoint sets it",
      ),
      preload: optional(
        'BERTH_APP_LD_PRELOAD',
        types.command,
        "The app's `LD_PRELOAD`, which may be for another libc than the agent's; the images' entrypoint sets it",
      ),
      environ: optional(
        'BERTH_APP_ENVIRON',
        types.environ,
        "The app's variables whose names no shell could write (`discovery.type`), which a shell drops; the images' entrypoint sets it",
        { secret: true },
      ),
      onAgentExit: withDefault(
        'BERTH_ON_AGENT_EXIT',
        types.onAgentExit,
        'stop',
        "What becomes of the app if the agent dies: `stop` ends it; `keep` runs the agent's work in a second process, which is started again without the app noticing",
      ),
    },
  },
  coordinator: {
    title: 'Coordinator',
    variables: {
      urls: optional(
        'BERTH_COORDINATOR',
        types.coordinators,
        'WebSocket address of the coordinator, or several separated by commas (none: work alone)',
        { fromFile: true, secret: true },
      ),
      token: optional('BERTH_TOKEN', types.token, 'Bearer token for the coordinator', {
        fromFile: true,
        secret: true,
      }),
    },
  },
  startup: {
    title: 'Startup probe',
    variables: probe(
      'BERTH_STARTUP',
      types.optionalProbe,
      { kind: 'off', interval: '10s', failures: '30', successes: '1' },
      '`tcp`, an HTTP path, or `off`; until it succeeds the other probes wait, and if it never does the app is ended. With `BERTH_LIVE` and no word about it: `tcp`',
    ),
  },
  ready: {
    title: 'Readiness probe',
    variables: probe(
      'BERTH_READY',
      types.probe,
      { kind: 'tcp', interval: '5s', failures: '3', successes: '2' },
      '`tcp` or an HTTP path; takes the instance into traffic and out of it',
    ),
  },
  live: {
    title: 'Liveness probe',
    variables: probe(
      'BERTH_LIVE',
      types.optionalProbe,
      { kind: 'off', interval: '10s', failures: '3', successes: '1' },
      '`tcp`, an HTTP path, or `off`; when it fails the app is ended',
    ),
  },
  stop: {
    title: 'Stopping',
    variables: {
      drainTimeout: withDefault(
        'BERTH_DRAIN_TIMEOUT',
        types.patience,
        '5s',
        'How long a drain waits for running sessions',
      ),
      stopTimeout: withDefault(
        'BERTH_STOP_TIMEOUT',
        types.patience,
        '4s',
        "How long the app may take to end after its signal, before SIGKILL; keep the sum with `BERTH_DRAIN_TIMEOUT` below the container's own stop timeout",
      ),
      preStop: optional(
        'BERTH_PRE_STOP',
        types.command,
        'Command to run after the drain and before the signal: a line for `/bin/sh`, or a JSON list of words to run without a shell',
      ),
      sidecarGone: withDefault(
        'BERTH_SIDECAR_GONE',
        types.interval,
        '60s',
        "Sidecar mode: how long the app's port may be gone before the agent leaves",
      ),
    },
  },
  metrics: {
    title: "The app's own numbers",
    variables: {
      sources: optional(
        'BERTH_APP_METRICS',
        types.metrics,
        '`NAME=SOURCE#SELECTOR`, several separated by commas. SOURCE is a path of the app, an `http://` address or `file:/path`; SELECTOR is a dotted path into JSON, or a Prometheus name with labels if need be; without one the body is the number',
      ),
      interval: withDefault(
        'BERTH_APP_METRICS_INTERVAL',
        types.interval,
        '5s',
        "How often they, and the container's CPU and memory, are read",
      ),
      timeout: withDefault(
        'BERTH_APP_METRICS_TIMEOUT',
        types.timeout,
        '1s',
        'How long reading one of them may take',
      ),
    },
  },
  agent: {
    title: 'The agent itself',
    variables: {
      logLevel: withDefault(
        'BERTH_LOG_LEVEL',
        types.logLevel,
        'info',
        'JSON lines at and above this level go to stderr',
      ),
      stateDirectory: withDefault(
        'BERTH_STATE_DIR',
        types.directory,
        '/tmp',
        'Where the slot is remembered over a restart of the container; if it is not writable another slot is taken',
      ),
    },
  },
};

/** Every variable, in the order of the reference page. */
export const variables: readonly Variable[] = Object.values(sections).flatMap((section) =>
  Object.values<Variable>(section.variables),
);

/** Variables of the coordinator, which often share one environment file with the agent's. */
export const coordinatorVariables: readonly string[] = ['BERTH_LISTEN', 'BERTH_DATABASE', 'BERTH_CONFIG'];

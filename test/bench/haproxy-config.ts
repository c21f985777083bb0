// The configuration of a test's HAProxy: backends with a server template as users write it, a frontend for each, and
// the Runtime API on a TCP port and on a unix socket.

/** Where a started HAProxy has its parts; ports stay the same over restarts. */
export interface HaproxyPaths {
  /** A folder of its own, for anything the configuration names. */
  readonly folder: string;
  /** Unix socket of the Runtime API, level admin. */
  readonly socket: string;
  /** TCP port of the Runtime API, level admin. */
  readonly cliPort: number;
  /** Address that frontends and the TCP Runtime API bind. */
  readonly address: string;
  /** The port of the frontend of this name, chosen at the first call. */
  readonly httpPort: (name: string) => number;
}

export interface TemplateBackend {
  readonly name: string;
  /** Slots are `<prefix>1` to `<prefix><slots>`; default `node`. */
  readonly prefix?: string;
  /** 0: no template at all. */
  readonly slots?: number;
  /** Default `roundrobin`. */
  readonly balance?: string;
  /** Further lines of the backend, e.g. `option httpchk GET /healthz`. */
  readonly lines?: readonly string[];
}

export interface TemplateOptions {
  /** Default one: `app` with the prefix `node`. */
  readonly backends?: readonly TemplateBackend[];
  /** Slots of a backend that does not say; default 100. */
  readonly slots?: number;
  /** Address in the template; default `localhost:3128`. */
  readonly placeholder?: string;
  /** Interval of the health checks; default `5s`. */
  readonly inter?: string;
  /** Sessions that one server may have at a time; default 8000. */
  readonly maxconn?: number;
  /** More words on the server-template line, e.g. `weight 100`. */
  readonly serverOptions?: string;
  /** Connections to the Runtime API at a time; default 1000. */
  readonly statsMaxconn?: number;
  /** A side backend `berth-locks`, for lock rows of backends whose `balance` is a hash. */
  readonly lockBackend?: boolean;
  /** `timeout` settings by name. */
  readonly timeouts?: Readonly<Record<string, string>>;
  /** Further lines of `global`. */
  readonly global?: readonly string[];
  /** Further lines of `defaults`. */
  readonly defaults?: readonly string[];
}

const defaultTimeouts = { connect: '1s', client: '30s', server: '30s', queue: '5s', check: '1s' };

/** The configuration text, as a function of where the parts are. */
export function templateConfig(options: TemplateOptions = {}): (paths: HaproxyPaths) => string {
  const { backends = [{ name: 'app' }], statsMaxconn = 1000, lockBackend = false } = options;
  const timeouts = Object.entries({ ...defaultTimeouts, ...options.timeouts });
  return (paths) =>
    [
      'global',
      '  log stdout format raw local0',
      '  maxconn 4000',
      `  stats socket ${paths.socket} mode 600 level admin expose-fd listeners`,
      `  stats socket ipv4@${paths.address}:${paths.cliPort} level admin`,
      `  stats maxconn ${statsMaxconn}`,
      '  stats timeout 30s',
      ...indent(options.global),
      'defaults',
      '  mode http',
      '  log global',
      '  option redispatch',
      '  retries 3',
      ...timeouts.map(([name, value]) => `  timeout ${name} ${value}`),
      ...indent(options.defaults),
      ...backends.flatMap((backend) => backendLines(backend, options, paths)),
      ...(lockBackend ? ['backend berth-locks', '  balance roundrobin'] : []),
      '',
    ].join('\n');
}

function backendLines(backend: TemplateBackend, options: TemplateOptions, paths: HaproxyPaths): string[] {
  const { name, prefix = 'node', slots = options.slots ?? 100, balance = 'roundrobin' } = backend;
  const { placeholder = 'localhost:3128', inter = '5s', maxconn = 8000, serverOptions = '' } = options;
  const server = `${prefix} 1-${slots} ${placeholder} check disabled inter ${inter} maxconn ${maxconn}`;
  return [
    `frontend ${name}-in`,
    `  bind ${paths.address}:${paths.httpPort(name)}`,
    `  default_backend ${name}`,
    `backend ${name}`,
    `  balance ${balance}`,
    ...indent(backend.lines),
    ...(slots === 0 ? [] : [`  server-template ${server} ${serverOptions}`.trimEnd()]),
  ];
}

function indent(lines: readonly string[] = []): string[] {
  return lines.map((line) => `  ${line}`);
}

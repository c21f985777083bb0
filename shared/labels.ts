// The labels by which a container tells Berth about itself, and their one reader and writer.
//
// A setting has Berth's own label and older names, which the HAProxy plugins that Berth follows use. The first label
// that is there counts, Berth's own before the older ones. A value that can't be used is left out and reported: which
// label, which value, what would do. Reading never throws, so that one bad label costs one setting of one container.
import { isBerthError } from './errors.ts';
import { isSafeName } from './haproxy/commands.ts';
import { formatHostPort, parseEndpoints, parsePort } from './haproxy/endpoint.ts';
import { suggest } from './suggest.ts';

export const labels = {
  service: 'berth.service',
  backend: 'berth.backend',
  port: 'berth.port',
  haproxy: 'berth.haproxy',
  slotPrefix: 'berth.slot-prefix',
  network: 'berth.network',
  policy: 'berth.policy',
  min: 'berth.min',
  max: 'berth.max',
  warm: 'berth.warm',
  availability: 'berth.availability',
  protect: 'berth.protect',
  naming: 'berth.naming',
  /** Berth's own marks on what it makes; nobody need write them. */
  clone: 'berth.clone',
  parked: 'berth.parked',
  clonedFor: 'berth.cloned-for',
  image: 'berth.image',
  remade: 'berth.remade',
} as const;

/** The older names of each setting, in the order in which they count. */
export const olderLabels = {
  service: ['container_service_name'],
  backend: ['container_haproxy_backend'],
  port: ['container_haproxy_backend_app_port'],
  haproxy: ['haproxy_host'],
  haproxyPort: ['haproxy_port'],
  slotPrefix: ['container_haproxy_node'],
  policy: ['container_policy_name', 'policy_name'],
  min: ['autoscale_min_instances', 'autoscale_min_instance'],
  max: ['autoscale_max_instances', 'autoscale_max_instance'],
  availability: ['service_availability'],
  naming: ['container_naming_convention', 'naming_convention'],
} as const;

export const composeLabels = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  number: 'com.docker.compose.container-number',
  oneOff: 'com.docker.compose.oneoff',
} as const;

export type Labels = Readonly<Record<string, string>>;

export interface LabelSettings {
  readonly service?: string;
  readonly backend?: string;
  /** The port on which the app answers. */
  readonly port?: number;
  /** Runtime APIs as `HAPROXY_SERVER` takes them: `lb1:9999,lb2:9998`; an entry without a port has the default one. */
  readonly haproxy?: string;
  readonly slotPrefix?: string;
  /** The network on which HAProxy reaches the container, when it is on several. */
  readonly network?: string;
  readonly policy?: string;
  readonly min?: number;
  readonly max?: number;
  /** How many instances of the service to keep warm. */
  readonly warm?: number;
  /** Start it again when it stopped, make it again when it was deleted. */
  readonly availability?: boolean;
  /** Never stopped or removed by Berth. */
  readonly protect?: boolean;
  /** What the names of new instances begin with. */
  readonly naming?: string;
  /** Made by Berth, which may delete it again. */
  readonly clone?: boolean;
  /** Made for the warm pool. */
  readonly parked?: boolean;
  /** One that people made, was deleted, and was made again by Berth: theirs all the same. */
  readonly remade?: boolean;
  /** Which firing of an alert asked for this very clone. */
  readonly clonedFor?: string;
  /** The image reference of an instance that was made by image id, since the reference had moved on. */
  readonly image?: string;
}

export interface LabelProblem {
  readonly label: string;
  readonly value: string;
  /** What is wrong with the value, for after the label and the value. */
  readonly message: string;
  /** What to write instead. */
  readonly mend: string;
}

export interface LabelReading {
  readonly settings: LabelSettings;
  readonly problems: readonly LabelProblem[];
  /** True when a label is there that only Berth reads, whatever its value. */
  readonly isLabelled: boolean;
}

type Parsed<T> = { readonly value: T } | { readonly message: string; readonly mend: string };
type Parse<T> = (text: string) => Parsed<T>;

const name: Parse<string> = (text) =>
  isSafeName(text)
    ? { value: text }
    : { message: 'is not a name', mend: 'use up to 128 letters, digits, and _ . : -' };

const port: Parse<number> = (text) => {
  const value = parsePort(text);
  return value === undefined
    ? { message: 'is not a port', mend: 'write a number from 1 to 65535' }
    : { value };
};

const count: Parse<number> = (text) =>
  /^\d{1,6}$/.test(text)
    ? { value: Number(text) }
    : { message: 'is not a count', mend: 'write a whole number from 0 to 999999' };

const flag: Parse<boolean> = (text) => {
  if (/^(true|yes|on|1)$/i.test(text)) return { value: true };
  if (/^(false|no|off|0)$/i.test(text)) return { value: false };
  return { message: 'is neither true nor false', mend: 'write true or false' };
};

const servers: Parse<string> = (text) => {
  try {
    // The port given here stands for "none was written": it does not reach the setting.
    parseEndpoints(text, 9999);
    return { value: text };
  } catch (error) {
    if (!isBerthError(error)) throw error;
    const detail = error.message.replace('HAPROXY_SERVER: ', '');
    return { message: `does not name HAProxys: ${detail}`, mend: error.hint ?? 'write host:port' };
  }
};

/** Docker's own rule for the names of containers and networks. */
export const dockerNamePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

const dockerName: Parse<string> = (text) =>
  dockerNamePattern.test(text)
    ? { value: text }
    : {
        message: 'is not a name for Docker',
        mend: 'use letters, digits, and _ . - and begin with a letter or digit',
      };

const reference: Parse<string> = (text) =>
  /^[\w][\w./:@-]{0,511}$/.test(text)
    ? { value: text }
    : { message: 'is not an image reference', mend: 'write it as for docker run: name:tag' };

/** The setting's own label and its older names, each with how its value is read. */
const parsers: { readonly [Key in keyof LabelSettings]-?: Parse<NonNullable<LabelSettings[Key]>> } = {
  service: name,
  backend: name,
  port,
  haproxy: servers,
  slotPrefix: name,
  network: dockerName,
  policy: name,
  min: count,
  max: count,
  warm: count,
  availability: flag,
  protect: flag,
  naming: dockerName,
  clone: flag,
  remade: flag,
  parked: flag,
  clonedFor: name,
  image: reference,
};

const older: Readonly<Partial<Record<keyof LabelSettings, readonly string[]>>> = olderLabels;
const ownNames: readonly string[] = Object.values(labels);
/** What only Berth reads. The other older names are words that anybody may use for something else. */
const { service, backend, port: appPort, haproxy, haproxyPort, slotPrefix } = olderLabels;
const telling: ReadonlySet<string> = new Set([
  ...ownNames,
  ...[service, backend, appPort, haproxy, haproxyPort, slotPrefix].flat(),
]);

/** Reads the settings of one container from its labels. */
export function readLabels(found: Labels): LabelReading {
  const problems: LabelProblem[] = [];
  const read = <T>(names: readonly string[], parse: Parse<T>): T | undefined => {
    const label = names.find((candidate) => Object.hasOwn(found, candidate));
    const written = label === undefined ? undefined : found[label];
    if (label === undefined || written === undefined) return undefined;
    const parsed = parse(written.trim());
    if ('value' in parsed) return parsed.value;
    problems.push({ label, value: written.slice(0, 200), message: parsed.message, mend: parsed.mend });
    return undefined;
  };
  const setting = (key: keyof LabelSettings) => {
    const parse: Parse<unknown> = parsers[key];
    const value = read([labels[key], ...(older[key] ?? [])], parse);
    return value === undefined ? {} : { [key]: value };
  };
  const own: LabelSettings = Object.assign({}, ...keys.map((key) => setting(key)));
  const safe = Object.hasOwn(found, labels.protect) ? { ...own, protect: own.protect ?? true } : own;
  const settings = addOlderPort(safe, found, read(olderLabels.haproxyPort, port));
  const typos = misspelled(found);
  problems.push(...typos);
  const isLabelled = typos.length > 0 || Object.keys(found).some((label) => telling.has(label));
  return { ...withoutContradiction(settings, found, problems), isLabelled };
}

const keys = Object.keys(labels).filter((key): key is keyof typeof labels => key in labels);

/** The labels that say what `settings` says: the inverse of `readLabels`. */
export function writeLabels(settings: LabelSettings): Record<string, string> {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const value = settings[key];
      return value === undefined ? [] : [[labels[key], String(value)]];
    }),
  );
}

/** One line for people: `label berth.port="x" is not a port (write a number from 1 to 65535)`. */
export function describeLabelProblem({ label, value, message, mend }: LabelProblem): string {
  return `label ${label}=${JSON.stringify(value)} ${message} (${mend})`;
}

/** `haproxy_port` belongs to `haproxy_host`, and to no other label. */
function addOlderPort(settings: LabelSettings, found: Labels, olderPort: number | undefined): LabelSettings {
  const { haproxy } = settings;
  if (haproxy === undefined || olderPort === undefined || Object.hasOwn(found, labels.haproxy))
    return settings;
  const endpoints = parseEndpoints(haproxy, olderPort);
  const written = endpoints.map(({ path, host, port }) => path ?? formatHostPort(host, port));
  return { ...settings, haproxy: written.join(',') };
}

/** A smallest count above the largest one is left out. */
function withoutContradiction(settings: LabelSettings, found: Labels, problems: readonly LabelProblem[]) {
  const { min, max, ...rest } = settings;
  if (min === undefined || max === undefined || min <= max) return { settings, problems };
  const label = [labels.min, ...olderLabels.min].find((candidate) => Object.hasOwn(found, candidate));
  const message = `is above the largest count, ${max}`;
  const mend = `write at most ${max}, or raise ${labels.max}`;
  return {
    settings: { ...rest, max },
    problems: [...problems, { label: label ?? labels.min, value: String(min), message, mend }],
  };
}

/** Labels like `berth.sevice`. Other labels that begin with `berth.` are somebody's own, and nothing is said. */
function misspelled(found: Labels): LabelProblem[] {
  return Object.entries(found).flatMap(([label, value]) => {
    if (!label.startsWith('berth.') || telling.has(label)) return [];
    const meant = suggest(label, ownNames);
    if (meant === undefined) return [];
    const message = 'is not a label that Berth knows';
    return [{ label, value: value.slice(0, 200), message, mend: `did you mean ${meant}?` }];
  });
}

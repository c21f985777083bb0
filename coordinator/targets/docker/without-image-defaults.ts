// Docker merges the image's configuration into the container's. A spec that kept the sum would force the settings of
// the old image on a newer one: its command, its PATH, its version label. So what equals the image's is left out, and
// `create` merges it in again. Docker's rules (moby, `merge` of container configurations):
//   maps and the environment    the image's entries that the container does not have are added
//   command and entrypoint      a container with an entrypoint of its own does not get the image's command
//   all else                    the image's value where the container has none
import { isDeepStrictEqual } from 'node:util';

type Config = Readonly<Record<string, unknown>>;

const values = ['User', 'WorkingDir', 'StopSignal', 'StopTimeout', 'Healthcheck', 'Shell'];
const maps = ['ExposedPorts', 'Volumes', 'Labels'];

export function withoutImageDefaults<T extends Config>(config: T, image: Config): T {
  const changed: Record<string, unknown> = {};
  for (const key of values) if (isSame(config[key], image[key])) changed[key] = undefined;
  for (const key of maps) changed[key] = withoutEntries(config[key], image[key]);
  changed['Env'] = withoutEnvironment(config['Env'], image['Env']);
  return withoutUndefined({ ...config, ...changed, ...withoutCommand(config, image) });
}

const isSame = (a: unknown, b: unknown) => b !== undefined && b !== null && isDeepStrictEqual(a, b);

function withoutEntries(own: unknown, image: unknown): unknown {
  if (!isMap(own) || !isMap(image)) return own;
  return Object.fromEntries(Object.entries(own).filter(([key, value]) => !isSame(value, image[key])));
}

function withoutEnvironment(own: unknown, image: unknown): unknown {
  if (!Array.isArray(own) || !Array.isArray(image)) return own;
  return own.filter((entry) => !image.includes(entry));
}

function withoutCommand(config: Config, image: Config): Config {
  const { Entrypoint: entrypoint, Cmd: command } = config;
  // `--entrypoint ''` shows as none; to take the image's away it must be said again.
  if (!isDeepStrictEqual(entrypoint ?? null, image['Entrypoint'] ?? null))
    return { Entrypoint: entrypoint ?? [''], Cmd: command };
  if (isSame(command, image['Cmd'])) return { Entrypoint: undefined, Cmd: undefined };
  // The image's entrypoint said again with no command: without it the image's command would come back.
  const isBare = !Array.isArray(command) || command.length === 0;
  return { Entrypoint: isBare ? (entrypoint ?? undefined) : undefined, Cmd: command };
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function withoutUndefined<T extends object>(object: T): T {
  return Object.assign(
    {},
    ...Object.entries(object).map(([key, value]) => (value === undefined ? {} : { [key]: value })),
  );
}

// What is needed to make a container again: the same one after it was deleted, or another instance like it.
//
// It holds Docker's own `Config` and `HostConfig` whole, also the fields of engines yet to come, and leaves out only
//   - what comes from the image: a newer image brings its own (without-image-defaults.ts)
//   - what belongs to this one container: its id as host name and alias, addresses, anonymous volumes, where its id is
//     written to, Berth's own marks on it
// and writes in one way what Docker knows in two: networks by name, links as they are given to `create`.
// It is plain JSON with a version, and is stored.
import { z } from 'zod';
import { labels as berthLabels, readLabels } from '../../../shared/labels.ts';
import { anonymousAsNew } from './anonymous-volumes.ts';
import type { InspectedContainer, InspectedImage } from './engine-schema.ts';
import { withoutImageDefaults } from './without-image-defaults.ts';

const strings = z.array(z.string());
const texts = z.record(z.string(), z.string());

export const containerSpecSchema = z.strictObject({
  version: z.literal(1),
  /** Of the container that it was read from. */
  name: z.string(),
  /** The reference by which the image is known, and the image that it was then. */
  image: z.string(),
  imageId: z.string(),
  config: z.looseObject({
    Env: strings.nullish(),
    Labels: texts.nullish(),
    Volumes: z.record(z.string(), z.unknown()).nullish(),
  }),
  hostConfig: z.looseObject({
    NetworkMode: z.string(),
    PortBindings: z
      .record(
        z.string(),
        z.array(z.object({ HostIp: z.string().optional(), HostPort: z.string().optional() })).nullish(),
      )
      .nullish(),
  }),
  /** The first is the one that it is made in; the others are connected to. None when it shares another's network. */
  networks: z.array(
    z.strictObject({ name: z.string(), aliases: strings, links: strings, driverOptions: texts }),
  ),
});
export type ContainerSpec = z.infer<typeof containerSpecSchema>;
type SpecNetwork = ContainerSpec['networks'][number];

/** The spec of a container, running or not; `image` is the one that it was made from, if that is still there. */
export function readSpec(inspected: InspectedContainer, image?: InspectedImage): ContainerSpec {
  const { Image: reference, Hostname, MacAddress: _mac, OnBuild: _build, ...config } = inspected.Config;
  const { ContainerIDFile: _file, ...hostConfig } = inspected.HostConfig;
  const { Volumes, Binds, Mounts } = anonymousAsNew(config, hostConfig);
  const name = inspected.Name.replace(/^\//, '');
  const { settings } = readLabels(config.Labels ?? {});
  const {
    [berthLabels.image]: _image,
    [berthLabels.parked]: _parked,
    [berthLabels.clone]: _clone,
    [berthLabels.remade]: _remade,
    ...labels
  } = config.Labels ?? {};
  const networks = readNetworks(inspected, name);
  return {
    version: 1,
    name,
    image: settings.image ?? reference,
    imageId: inspected.Image,
    config: {
      ...withoutImageDefaults({ ...config, Labels: labels, Volumes }, image?.Config ?? {}),
      ...(isOwnHostname(inspected) ? { Hostname } : {}),
    },
    hostConfig: {
      ...hostConfig,
      Binds,
      Mounts,
      Links: hostConfig.Links?.map(readLink),
      NetworkMode: readNetworkMode(hostConfig.NetworkMode, networks),
    },
    networks,
  };
}

/** Docker names a container's host after its id; and where the name is another's, `create` refuses one. */
function isOwnHostname({ Id, Config, HostConfig }: InspectedContainer): boolean {
  const { Hostname } = Config;
  const isShared = HostConfig.NetworkMode.startsWith('container:') || HostConfig['UTSMode'] === 'host';
  return Hostname !== '' && !isShared && !(Hostname.length >= 12 && Id.startsWith(Hostname));
}

/** `/redis:/web/db` (inspect) as `redis:db` (create). */
function readLink(link: string): string {
  const [target = '', alias = ''] = link.split(':');
  return `${target.replace(/^\//, '')}:${alias.slice(alias.lastIndexOf('/') + 1)}`;
}

function readNetworks(
  { Id, Config, HostConfig, NetworkSettings }: InspectedContainer,
  name: string,
): SpecNetwork[] {
  const mode = HostConfig.NetworkMode === 'default' ? 'bridge' : HostConfig.NetworkMode;
  const isFirst = (network: string, id: string) =>
    network === mode || (mode.length >= 12 && id.startsWith(mode));
  return Object.entries(NetworkSettings.Networks ?? {})
    .map(([network, { Aliases, Links, DriverOpts, NetworkID }]) => ({
      isFirst: isFirst(network, NetworkID),
      name: network,
      // Docker adds the id and the host name, Compose the container's name.
      aliases: [...new Set(Aliases)].filter(
        (alias) => ![Id.slice(0, 12), Config.Hostname, name].includes(alias),
      ),
      links: Links ?? [],
      driverOptions: DriverOpts ?? {},
    }))
    .sort((a, b) => Number(b.isFirst) - Number(a.isFirst))
    .map(({ isFirst: _isFirst, ...network }) => network);
}

/** By name; and the first network that it still has, when it was disconnected from the one that it was made in. */
function readNetworkMode(mode: string, networks: readonly SpecNetwork[]): string {
  if (mode.startsWith('container:')) return mode;
  const [first] = networks;
  if (first === undefined) return 'none';
  return mode === 'default' && first.name === 'bridge' ? mode : first.name;
}

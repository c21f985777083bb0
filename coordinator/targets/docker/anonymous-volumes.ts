// Anonymous volumes belong to one container: another instance gets new ones in the same places. A container has them
// by `-v /data` (in `Config.Volumes`, without a name), and by name where Compose has made it again and kept its
// volumes (in `Binds` and `Mounts`).
import type { InspectedContainer } from './engine-schema.ts';

/** Docker gives them names of 64 hexadecimal digits. */
const isAnonymous = (name: string | undefined): boolean => name !== undefined && /^[0-9a-f]{64}$/.test(name);

type Config = Pick<InspectedContainer['Config'], 'Volumes'>;
type HostConfig = Pick<InspectedContainer['HostConfig'], 'Binds' | 'Mounts'>;

/** The same volumes, with the anonymous ones to be made anew. */
export function anonymousAsNew({ Volumes }: Config, { Binds, Mounts }: HostConfig): Config & HostConfig {
  const parts = (Binds ?? []).map((bind) => ({ bind, name: bind.split(':')[0], place: bind.split(':')[1] }));
  const places = parts.flatMap(({ name, place }) =>
    isAnonymous(name) && place !== undefined ? [place] : [],
  );
  return {
    Volumes:
      places.length === 0
        ? Volumes
        : { ...Volumes, ...Object.fromEntries(places.map((place) => [place, {}])) },
    Binds: Binds && parts.filter(({ name }) => !isAnonymous(name)).map(({ bind }) => bind),
    Mounts: Mounts?.map((mount) => {
      const { Source, ...rest } = mount;
      return mount.Type === 'volume' && isAnonymous(Source) ? rest : mount;
    }),
  };
}

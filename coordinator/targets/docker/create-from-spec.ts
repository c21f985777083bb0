// Makes a container from a spec, whole or not at all: should connecting it to its networks fail, it is removed again.
// It is not started. A coordinator that dies in between leaves a container in the state `created`, with its service's
// label, for the next look to find.
//
// Names: several may choose the same one at once; the engine gives it to the first, and the others choose again.
import { BerthError } from '../../../shared/errors.ts';
import { readLabels } from '../../../shared/labels.ts';
import type { Log } from '../../../shared/log.ts';
import { type ChosenName, chooseName, type NamedContainer } from './choose-name.ts';
import type { DockerClient } from './client.ts';
import { isNameClash } from './docker-error.ts';
import {
  type CreateChoices,
  chooseLabels,
  type FixedPorts,
  findObstacles,
  formatCreate,
} from './format-create.ts';
import { nameOf } from './instance.ts';
import type { ContainerSpec } from './spec.ts';

export interface CreateOptions {
  readonly service: string;
  /**
   * `clone`: a further instance, with the next free name, without `berth.protect`. `original`: the same container
   * again, under its own name.
   */
  readonly as: 'clone' | 'original';
  /** What the names of clones begin with; default: what the label of the spec says, else like the spec's own name. */
  readonly convention?: string | undefined;
  /** Default: `random` for a clone, `keep` for the original. */
  readonly fixedPorts?: FixedPorts;
  /** Made for the warm pool. */
  readonly isWarm?: boolean;
  readonly overrides?: {
    readonly image?: string;
    readonly labels?: CreateChoices['labels'];
    readonly environment?: CreateChoices['environment'];
  };
  /** The names that are taken, when they are known already; default: the engine is asked. */
  readonly taken?: readonly NamedContainer[];
  /** Called with its id as soon as the engine has made it; its further networks come after that. */
  readonly onCreated?: (id: string) => void;
  readonly log: Log;
  readonly signal?: AbortSignal;
}

export interface CreatedInstance extends ChosenName {
  readonly id: string;
  /** What the container was made from: the reference, or the image's id when the reference has moved on since. */
  readonly image: string;
}

/** More instances than can choose a name at the same time. */
const attempts = 100;

/**
 * @throws BerthError `docker.not-cloneable` with the reasons; DockerError (isNoImage, isNoNetwork, isNoSpace,
 *   isNameClash for an original whose name is taken); `docker.unavailable`, when it is unknown whether it was made
 */
export async function createFromSpec(
  client: DockerClient,
  spec: ContainerSpec,
  options: CreateOptions,
): Promise<CreatedInstance> {
  const { as, overrides = {}, log, signal } = options;
  const fixedPorts = options.fixedPorts ?? (as === 'clone' ? 'random' : 'keep');
  const obstacles = as === 'clone' ? findObstacles(spec, fixedPorts) : [];
  if (obstacles.length > 0) {
    throw new BerthError('docker.not-cloneable', `${spec.name} can't be cloned: ${obstacles.join('; ')}`, {
      hint: 'publish the port without a fixed host port, use a network of its own, or scale this service by hand',
    });
  }
  const { image, reference } = await chooseImage(client, spec, options);
  const own = spec.config.Labels ?? {};
  const make = async ({ name, number }: ChosenName): Promise<CreatedInstance> => {
    const request = formatCreate(spec, {
      image,
      fixedPorts,
      labels: {
        ...chooseLabels(own, {
          service: options.service,
          number: as === 'clone' ? number : undefined,
          isWarm: options.isWarm ?? false,
          reference,
        }),
        ...overrides.labels,
      },
      environment: overrides.environment ?? {},
    });
    const id = await client.create(name, request.body, signal);
    options.onCreated?.(id);
    try {
      for (const { network, config } of request.further) await client.connect(network, id, config, signal);
    } catch (error) {
      await removeUnfinished(client, id, log);
      throw error;
    }
    return { id, name, number, image };
  };
  if (as === 'original') return make({ name: spec.name, number: 0 });
  const convention = options.convention ?? readLabels(own).settings.naming;
  const taken = [...(options.taken ?? (await listNames(client, signal)))];
  for (let attempt = 1; ; attempt += 1) {
    const chosen = chooseName({
      origin: { name: spec.name, labels: own },
      convention,
      taken,
    });
    try {
      return await make(chosen);
    } catch (error) {
      if (!isNameClash(error) || attempt === attempts) throw error;
      taken.push({ name: chosen.name, labels: {} });
    }
  }
}

/**
 * The very image of the spec, so that a service never runs two versions by accident. Where the reference means another
 * image by now, the one meant then is taken by its id; where that is not on the host, the reference is all there is.
 */
async function chooseImage(
  client: DockerClient,
  spec: ContainerSpec,
  { overrides, signal, log }: CreateOptions,
) {
  if (overrides?.image !== undefined) return { image: overrides.image, reference: undefined };
  const now = await client.image(spec.image, signal);
  if (now?.Id === spec.imageId) return { image: spec.image, reference: undefined };
  const then = await client.image(spec.imageId, signal);
  if (then !== undefined) return { image: spec.imageId, reference: spec.image };
  if (now !== undefined) {
    const fields = {
      event: 'docker.image-changed',
      host: client.host,
      image: spec.image,
      imageId: spec.imageId,
    };
    log.warn(
      fields,
      `${spec.name}: its image is no longer on ${client.host}; ${spec.image} now means another one`,
    );
  }
  return { image: spec.image, reference: undefined };
}

async function listNames(client: DockerClient, signal: AbortSignal | undefined): Promise<NamedContainer[]> {
  return (await client.list(signal)).map((listed) => ({ name: nameOf(listed), labels: listed.Labels ?? {} }));
}

/** Without the caller's signal: it may have aborted, and that is no reason to leave half a container. */
async function removeUnfinished(client: DockerClient, id: string, log: Log): Promise<void> {
  await client.remove(id, { force: true }).catch((error: unknown) => {
    log.warn(
      { event: 'docker.unfinished-left', host: client.host, container: id, error: String(error) },
      `container ${id} could not be removed`,
    );
  });
}

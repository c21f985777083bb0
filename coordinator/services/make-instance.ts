// Makes a new instance and starts it. The original again, which somebody has deleted: under its own name, at its own ports,
// with its labels; where another container has its ports, at others; where another one has its name, as a clone.
import { labels } from '../../shared/labels.ts';
import type { Log } from '../../shared/log.ts';
import type { DockerClient } from '../targets/docker/client.ts';
import {
  type CreatedInstance,
  type CreateOptions,
  createFromSpec,
} from '../targets/docker/create-from-spec.ts';
import { isGoneAlready, isNameClash, isPortClash } from '../targets/docker/docker-error.ts';
import type { ContainerSpec } from '../targets/docker/spec.ts';

export interface NewInstance {
  service: string;
  /** The container of the spec again, not one more like it. */
  original: boolean;
  isWarm: boolean;
  convention: string | undefined;
  /** The firing of the alert that asked for it. */
  clonedFor: string | undefined;
  /** Called with its id as soon as the engine has made it. */
  created: (id: string) => void;
  /** Called between making it whole and starting it. */
  made: (id: string) => void;
  log: Log;
  signal: AbortSignal;
}

type Way = Pick<CreateOptions, 'as' | 'fixedPorts'>;

const asClone: Way = { as: 'clone' };
const asOriginal: readonly Way[] = [
  { as: 'original', fixedPorts: 'keep' },
  { as: 'original', fixedPorts: 'random' },
  asClone,
];

/** @throws BerthError as createFromSpec, and what the engine says when it does not start */
export async function makeInstance(
  client: DockerClient,
  spec: ContainerSpec,
  wanted: NewInstance,
): Promise<CreatedInstance> {
  let failure: unknown;
  for (const way of wanted.original ? asOriginal : [asClone]) {
    try {
      return await makeAndStart(client, spec, way, wanted);
    } catch (error) {
      failure = error;
      if (!isNameClash(error) && !isPortClash(error)) break;
    }
  }
  throw failure;
}

async function makeAndStart(
  client: DockerClient,
  spec: ContainerSpec,
  way: Way,
  { service, isWarm, convention, clonedFor, created, made, log, signal }: NewInstance,
): Promise<CreatedInstance> {
  const mark = way.as === 'clone' ? { [labels.clone]: 'true' } : { [labels.remade]: 'true' };
  const instance = await createFromSpec(client, spec, {
    ...way,
    service,
    isWarm,
    convention,
    onCreated: created,
    overrides: {
      labels: { ...mark, ...(clonedFor === undefined ? {} : { [labels.clonedFor]: clonedFor }) },
    },
    log,
    signal,
  });
  made(instance.id);
  try {
    await client.start(instance.id, signal);
  } catch (error) {
    // One that does not start would only be in the way of the next try.
    await client.remove(instance.id, { force: true }, signal).catch((failed: unknown) => {
      if (!isGoneAlready(failed)) throw failed;
    });
    throw error;
  }
  return instance;
}

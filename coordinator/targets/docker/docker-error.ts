// What can go wrong with a Docker Engine, as errors that are told apart by predicates.
//
// The engine gives a status and a sentence. The status alone says too little (a used port, a full disk and a crash of
// the daemon are all 500), so the sentence is read here, once, and nowhere else. Sentences: moby 20.10 to 28 and Podman 4.
import { BerthError, isBerthError } from '../../../shared/errors.ts';

export type DockerFailure =
  | 'name-clash'
  | 'port-clash'
  | 'no-image'
  | 'no-network'
  | 'no-space'
  | 'not-found'
  | 'being-removed'
  | 'not-modified'
  | 'other';

/** The engine answered, and the answer was no. */
export class DockerError extends BerthError {
  readonly status: number;
  readonly failure: DockerFailure;

  constructor(action: string, status: number, sentence: string) {
    const failure = classifyFailure(status, sentence);
    super('docker.failed', `Docker did not ${action}: ${sentence} (status ${status})`, {
      hint: hints[failure],
    });
    this.name = 'DockerError';
    this.status = status;
    this.failure = failure;
  }
}

const hints: Readonly<Record<DockerFailure, string | undefined>> = {
  'name-clash': 'another container has this name',
  'port-clash':
    'another process or container uses this port of the host: publish it without a fixed host port',
  'no-image': 'pull or build the image on this host: Berth does not pull',
  'no-network': 'create the network on this host',
  'no-space': "free space on the disk of Docker's data folder: docker system df",
  'not-found': undefined,
  'being-removed': undefined,
  'not-modified': undefined,
  other: undefined,
};

/** What kind of failure an answer of the engine is, from its status and its sentence. */
export function classifyFailure(status: number, sentence: string): DockerFailure {
  if (status === 304) return 'not-modified';
  if (/no space left on device|disk quota exceeded/i.test(sentence)) return 'no-space';
  if (/container name .* is already in use|name is in use/i.test(sentence)) return 'name-clash';
  if (/port is already allocated|bind\b.*: address already in use|port .* is already in use/i.test(sentence))
    return 'port-clash';
  if (/network \S+ not found|no such network|unable to find network/i.test(sentence)) return 'no-network';
  if (/no such image|image not known|no image .* found/i.test(sentence)) return 'no-image';
  if (/removal of container .* is already in progress/i.test(sentence)) return 'being-removed';
  if (status === 404) return 'not-found';
  return 'other';
}

const is =
  (failure: DockerFailure) =>
  (error: unknown): error is DockerError =>
    error instanceof DockerError && error.failure === failure;

/** Another container has the name. */
export const isNameClash = is('name-clash');
/** A port of the host is used by another container or process. */
export const isPortClash = is('port-clash');
/** The image is not on this host. */
export const isNoImage = is('no-image');
/** A network of the container is not on this host. */
export const isNoNetwork = is('no-network');
/** The disk of the engine is full. */
export const isNoSpace = is('no-space');
/** The container (or what else was named) does not exist. */
export const isNotFound = is('not-found');
/** Somebody is deleting it just now, or Docker itself, since it was run with `--rm`. */
const isBeingRemoved = is('being-removed');
/** There is nothing left to stop or delete. */
export const isGoneAlready = (error: unknown): boolean => isNotFound(error) || isBeingRemoved(error);
/** It was so already: started when running, stopped when not. */
export const isNotModified = is('not-modified');
/** The engine did not answer: it is down, unreachable, or too slow. Whether it acted is unknown. */
export const isUnavailable = (error: unknown): error is BerthError =>
  isBerthError(error, 'docker.unavailable');

// What a new instance is called: a prefix and the lowest number that is free. The prefix is the naming convention if
// there is one, else the name of the instance that is cloned without its number (`web_3`, `shop-web-3`). In a Compose
// project the number must be free among the service's container numbers too, since Compose tells containers apart by it.
import { BerthError } from '../../../shared/errors.ts';
import { composeLabels, type Labels } from '../../../shared/labels.ts';

export interface NamedContainer {
  readonly name: string;
  readonly labels: Labels;
}

export interface NameRequest {
  /** The name and labels of the instance that is cloned. */
  readonly origin: NamedContainer;
  /** What the name begins with: `webapp_`; `webapp` means the same. */
  readonly convention?: string | undefined;
  /** All containers of the host. */
  readonly taken: readonly NamedContainer[];
}

export interface ChosenName {
  readonly name: string;
  readonly number: number;
}

/** @throws BerthError `config.invalid` when Docker takes no name that begins like this */
export function chooseName({ origin, convention, taken }: NameRequest): ChosenName {
  const prefix = choosePrefix(origin, convention);
  const names = new Set(taken.map(({ name }) => name));
  const numbers = new Set(taken.filter(isOfSameService(origin)).map(({ labels }) => numberOf(labels)));
  let number = 1;
  while (names.has(`${prefix}${number}`) || numbers.has(number)) number += 1;
  return { name: `${prefix}${number}`, number };
}

function choosePrefix({ name, labels }: NamedContainer, convention: string | undefined): string {
  if (convention === undefined) {
    const numbered = /^(.+[-_.])\d+$/.exec(name)?.[1];
    const separator = labels[composeLabels.project] === undefined ? '_' : '-';
    return numbered ?? `${name}${separator}`;
  }
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,100}$/.test(convention)) {
    throw new BerthError(
      'config.invalid',
      `${JSON.stringify(convention)} is not what a container's name can begin with`,
      {
        hint: 'use letters, digits, and _ . - and begin with a letter or digit',
      },
    );
  }
  return /[-_.]$/.test(convention) ? convention : `${convention}_`;
}

/** Containers of `docker compose run` have numbers of their own. */
function isOfSameService(origin: NamedContainer): (other: NamedContainer) => boolean {
  const { project, service, oneOff } = composeLabels;
  if (origin.labels[project] === undefined) return () => false;
  return ({ labels }) =>
    labels[project] === origin.labels[project] &&
    labels[service] === origin.labels[service] &&
    labels[oneOff] !== 'True';
}

const numberOf = (labels: Labels): number => Number(labels[composeLabels.number]);

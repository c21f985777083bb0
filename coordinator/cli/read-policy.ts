// A policy from a file, by name when the file has several.
import { readFileSync } from 'node:fs';
import { BerthError, describeError } from '../../shared/errors.ts';
import { admitFile, formatAdmissionError } from '../policy/admit.ts';
import type { AdmittedPolicy } from '../policy/normalize.ts';

/** @throws BerthError `policy.invalid`, `config.invalid` */
export function readPolicy(file: string, name: string | undefined): AdmittedPolicy {
  const { admitted, errors } = admitFile(readText(file), file);
  const mine = errors.filter(({ policy }) => name === undefined || policy === name);
  if (mine.length > 0) throw new BerthError('policy.invalid', mine.map(formatAdmissionError).join('\n'));
  const names = admitted.map(({ policy }) => policy.name);
  if (name === undefined && admitted.length > 1)
    throw new BerthError('config.invalid', `${file} has ${admitted.length} policies: ${names.join(', ')}`, {
      hint: 'choose one with --policy',
    });
  const found = name === undefined ? admitted[0] : admitted.find(({ policy }) => policy.name === name);
  if (found !== undefined) return found;
  throw new BerthError(
    'config.invalid',
    name === undefined ? `${file} has no policy` : `${file} has no policy ${name}`,
    {
      hint: names.length === 0 ? undefined : `it has ${names.join(', ')}`,
    },
  );
}

/** @throws BerthError `config.invalid` */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new BerthError('config.invalid', describeError(error), {
      hint: 'is the path right?',
      cause: error,
    });
  }
}

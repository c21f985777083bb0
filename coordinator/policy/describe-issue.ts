// From what the schema library reports to a fault that names the value, what would be right, and the likely slip.
import type { z } from 'zod';
import type { PolicyFault } from './check-policy.ts';
import { knownKeys } from './json-schema.ts';
import { formatPath, valueAt } from './path.ts';
import { nearest } from './suggest.ts';

export type IssueFault = PolicyFault & {
  /** A required key that is not there. */
  readonly isMissing?: boolean;
  /** The path that an unknown key was probably meant to be. */
  readonly meant?: string;
};

export function describeIssue(issue: z.core.$ZodIssue, value: unknown): IssueFault[] {
  const { path } = issue;
  const given = valueAt(value, path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key, value));
    case 'invalid_value':
      return [oneOf(path, given, issue.values.map(String))];
    case 'invalid_union':
      return describeUnion(issue, path, given, value);
    case 'invalid_type': {
      if (given === undefined) return [{ path, message: 'is missing', isMissing: true }];
      return [{ path, message: `${JSON.stringify(given)} is not ${article(issue.expected)}` }];
    }
    case 'too_small':
      return [{ path, message: `${shown(given)} is below the least, ${issue.minimum}` }];
    case 'too_big':
      return [{ path, message: `${shown(given)} is above the most, ${issue.maximum}` }];
    case 'invalid_format':
      return [
        {
          path,
          message: issue.message.startsWith('Invalid')
            ? `${shown(given)} is not a valid ${issue.format}`
            : issue.message,
        },
      ];
    default:
      return [{ path, message: issue.message }];
  }
}

function unknownKey(path: readonly PropertyKey[], key: string, value: unknown): IssueFault {
  const known = knownKeys(path, value);
  const near = nearest(key, known);
  const message = `there is no field ${JSON.stringify(key)} here`;
  const place = { path: [...path, key], message, offset: 'key' } as const;
  if (near === undefined) return { ...place, hint: `known are ${known.join(', ')}` };
  return { ...place, hint: `did you mean ${near}?`, meant: formatPath([...path, near]) };
}

function oneOf(path: readonly PropertyKey[], given: unknown, options: readonly string[]): IssueFault {
  if (given === undefined)
    return { path, message: `is missing: one of ${options.join(', ')}`, isMissing: true };
  const near = typeof given === 'string' ? nearest(given, options) : undefined;
  const hint = near === undefined ? {} : { hint: `did you mean ${near}?` };
  return { path, message: `${shown(given)} is not one of ${options.join(', ')}`, ...hint };
}

type UnionIssue = Extract<z.core.$ZodIssue, { code: 'invalid_union' }>;

/** Of the alternatives, the faults of the one that came nearest: the deepest, then the one with the fewest. */
function describeUnion(
  issue: UnionIssue,
  path: readonly PropertyKey[],
  given: unknown,
  value: unknown,
): IssueFault[] {
  const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
  if (options.length > 0) return [oneOf(path, given, options)];
  const branches = issue.errors.map((errors) =>
    errors.map((inner) => ({ ...inner, path: [...path, ...inner.path] })),
  );
  const depthOf = (errors: readonly { path: PropertyKey[] }[]): number =>
    Math.max(0, ...errors.map((error) => error.path.length));
  const [best] = branches.toSorted((a, b) => depthOf(b) - depthOf(a) || a.length - b.length);
  if (best !== undefined && depthOf(best) > path.length)
    return best.flatMap((inner) => describeIssue(inner, value));
  if (given === undefined) return [{ path, message: 'is missing', isMissing: true }];
  const constants = branches
    .flat()
    .flatMap((inner) => (inner.code === 'invalid_value' ? inner.values.map(String) : []));
  if (constants.length > 0) return [oneOf(path, given, constants)];
  return [{ path, message: `${shown(given)} is not understood` }];
}

function shown(given: unknown): string {
  const text = JSON.stringify(given) ?? String(given);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function article(expected: string): string {
  if (expected === 'int') return 'a whole number';
  return /^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`;
}

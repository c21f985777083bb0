// Files that a variable names. What stands where a path should be may be the secret itself (a key in quotes, a token in
// …_FILE): it is shown in a complaint only if it looks like a path.
import { describeError } from './errors.ts';

/** What is encoded begins with a letter, and so do tokens as a rule. */
export function looksLikePath(text: string): boolean {
  return /^[./][ -[\]-\uffff]{0,1000}$/.test(text) && !text.includes('BEGIN ');
}

/** The text of the file that `name` gives, or undefined and one problem more. `expects` completes "give …". */
export function readNamedFile(
  name: string,
  path: string,
  { readFile, problems }: { readFile(path: string): string; problems: string[] },
  expects = 'the path of a readable file',
): string | undefined {
  try {
    return readFile(path);
  } catch (error) {
    problems.push(
      looksLikePath(path)
        ? `${name} is ${JSON.stringify(path)}, which cannot be read: ${describeError(error)}; give ${expects}`
        : `${name} has a value that is not shown, since it does not begin as a path does (/ or .) and may be a secret: give ${expects}`,
    );
    return undefined;
  }
}

/** PEM text, or what is in the file at that path. */
export function readPem(
  name: string,
  value: string | undefined,
  context: { readFile(path: string): string; problems: string[] },
): string | undefined {
  if (value === undefined || value.startsWith('-----BEGIN')) return value;
  const expects =
    'PEM text that begins with -----BEGIN, without quotes and with real line breaks, or the path of a readable PEM file';
  return readNamedFile(name, value, context, expects);
}
